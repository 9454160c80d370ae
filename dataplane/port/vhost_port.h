// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A guest port on the rte_vhost library: one instance's virtio-net device, split rings, no offloads.
//
// Queue delay. A split ring does not show what the driver has consumed, only the buffers that it posts
// (virtio 1.1 2.6.6). A guest that keeps its ring full posts one again for each that it consumed. So what is
// missing from the most that were ever there at once was delivered and is not consumed, and the delivery time
// of the oldest of these is its age. Delivery times are kept per 100 us, not per packet.
//
// A guest that posts again only in batches looks a little slower than it is. One that got nothing for a
// second is not asked: what then lies there is no load.
#pragma once

#include <cstdint>

#include "dataplane/port/delivery_times.h"
#include "dataplane/port/guest_port.h"

namespace cheshire {

class VhostPort final : public GuestPort {
 public:
  VhostPort();

  // rte_vhost's number of the device. Set by the vhost-user thread while no worker polls the port.
  void set_device(int vid) {
    vid_ = vid;
    buffers_ = 0;
    times_.forget();
  }
  [[nodiscard]] int device() const { return vid_; }

  [[nodiscard]] uint16_t to_guest(rte_mbuf** packets, uint16_t count) override;
  [[nodiscard]] uint16_t from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) override;
  [[nodiscard]] Backlog backlog() override;

 private:
  int vid_ = -1;
  uint16_t buffers_ = 0;  // the most that the guest had posted at once
  DeliveryTimes times_;   // in TSC cycles
};

}  // namespace cheshire
