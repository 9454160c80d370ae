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

#include <array>
#include <cstddef>

#include "dataplane/guest_port.h"

namespace cheshire {

// When how many packets had been delivered, coarsely. Pure; times in any unit.
class DeliveryTimes {
 public:
  explicit DeliveryTimes(uint64_t resolution) : resolution_(resolution) {}
  void delivered(uint16_t count, uint64_t now) {
    delivered_ += count;
    if (marks_made_ == 0 || now - newest().time >= resolution_) ++marks_made_, newest().time = now;
    newest().delivered = delivered_;
  }
  void forget() { delivered_ = marks_made_ = 0; }
  [[nodiscard]] uint64_t total() const { return delivered_; }
  [[nodiscard]] uint64_t newest_time() const { return marks_made_ == 0 ? 0 : marks_[at(marks_made_)].time; }
  // When the packet after the first `consumed` ones was delivered, or later than that by the resolution at
  // the most; of one that is older than all that is kept, the oldest time kept. `consumed` below total().
  [[nodiscard]] uint64_t time_of(uint64_t consumed) const {
    uint64_t found = marks_made_;
    while (found > 1 && marks_made_ - found + 1 < marks_.size() &&
           marks_[at(found - 1)].delivered > consumed) {
      --found;
    }
    return marks_[at(found)].time;
  }

 private:
  struct Mark {
    uint64_t time = 0;
    uint64_t delivered = 0;  // until the next mark
  };
  static constexpr size_t kMarks = 256;
  [[nodiscard]] static size_t at(uint64_t made) { return (made - 1) % kMarks; }
  [[nodiscard]] Mark& newest() { return marks_[at(marks_made_)]; }

  const uint64_t resolution_;
  uint64_t delivered_ = 0;
  uint64_t marks_made_ = 0;
  std::array<Mark, kMarks> marks_{};
};

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
