// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A guest port on the rte_vhost library: one instance's virtio-net device, split rings, no offloads.
#pragma once

#include "dataplane/guest_port.h"

namespace cheshire {

class VhostPort final : public GuestPort {
 public:
  // rte_vhost's number of the device. Set by the vhost-user thread while no worker polls the port.
  void set_device(int vid) { vid_ = vid; }
  [[nodiscard]] int device() const { return vid_; }

  [[nodiscard]] uint16_t to_guest(rte_mbuf** packets, uint16_t count) override;
  [[nodiscard]] uint16_t from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) override;

 private:
  int vid_ = -1;
};

}  // namespace cheshire
