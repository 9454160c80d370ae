// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The data plane of one stepped guest: puts SYNs into its receive ring and looks at what it sends. The guest
// is our own and stands still meanwhile; still every address goes through GuestMemory::at().
#pragma once

#include <cstdint>

#include "hypervisor/vmm/guest_memory.h"
#include "hypervisor/vmm/virtio_mmio.h"

namespace cheshire {

class GuestNetwork {
 public:
  // After DRIVER_OK. `memory` outlives it.
  GuestNetwork(const GuestMemory& memory, const std::array<VirtioQueue, kNetQueues>& queues)
      : memory_(memory), queues_(queues) {}

  // A SYN of client number `number`, from a port of its own. False: no buffer of the guest's.
  [[nodiscard]] bool put_syn(uint32_t number);
  // The guest has sent something.
  [[nodiscard]] bool has_frame() const;
  // What the guest sent last; true if it is the SYN-ACK to that SYN.
  [[nodiscard]] bool take_syn_ack(uint32_t number);

 private:
  const GuestMemory& memory_;
  const std::array<VirtioQueue, kNetQueues>& queues_;
  uint16_t received_ = 0;  // entries of the available rings that we have used
  uint16_t sent_ = 0;
};

}  // namespace cheshire
