// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// When how many packets had been delivered to a guest, so that the age of the oldest which it has not consumed
// can be told (vhost_port.h). Kept in marks, each for all packets of a span of time, not per packet: constant
// memory, and one comparison per burst. Pure; times in any unit. One thread only. No DPDK.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cheshire {

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
  // When the packet after the first `consumed` ones was delivered, or earlier by less than the resolution;
  // of one that is older than all that is kept, the oldest time kept. `consumed` below total().
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

}  // namespace cheshire
