// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One deadline per connection, for all of them, at a few instructions per packet.
//
// Terms: a tick is 8.192 ms, a slot collects what is due within one tick, the wheel has kSlotCount slots. The
// wheel is lazy: arm() with a later deadline than the one on the wheel does nothing, so moving a
// retransmission timer forward on every segment costs a compare. When a slot comes due its owners are asked;
// who is not due yet is put back by calling arm() again. So a timer never fires early, and at most one tick
// late.
//
// Example: A is armed for 200 ms (slot 25), then for 900 ms: it stays in slot 25. At 205 ms expire() yields
// A; the owner sees that its deadline is 900 ms and arms it again, into slot 110.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/index_list.h"

namespace cheshire::grin {

class TimerWheel {
 public:
  static constexpr uint64_t kTickShift = 13;
  static constexpr uint64_t kSlotCount = 512;

  struct Entry {
    uint16_t slot_plus_one;  // 0: not on the wheel
  };

  // `links` and `entries` are indexed by owner and read as zero.
  void init(std::span<IndexLink> links, std::span<Entry> entries) {
    links_ = links;
    entries_ = entries;
  }

  void arm(Index owner, uint64_t deadline_us);
  void cancel(Index owner);

  // Takes the next owner off the wheel whose slot is due, or kNoIndex. Call until then.
  [[nodiscard]] Index pop_expired(uint64_t now_us);

  // When pop_expired() is worth calling: a tick boundary, or all ones if nothing is armed.
  [[nodiscard]] uint64_t next_deadline_us() const;

 private:
  [[nodiscard]] uint64_t first_occupied_tick() const;

  std::span<IndexLink> links_;
  std::span<Entry> entries_;
  size_t armed_count_ = 0;
  uint64_t current_tick_ = 0;  // everything due before this tick has been popped
  std::array<IndexList, kSlotCount> slots_ = {};
  std::array<uint64_t, kSlotCount / 64> occupied_ = {};  // bit per slot that is not empty
};

}  // namespace cheshire::grin
