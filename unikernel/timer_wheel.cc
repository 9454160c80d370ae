// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/timer_wheel.h"

namespace cheshire::grin {
namespace {

constexpr uint64_t kNever = ~uint64_t{0};

}  // namespace

void TimerWheel::arm(Index owner, uint64_t deadline_us) {
  // Rounded up, so that a slot is due no earlier than any deadline in it.
  uint64_t tick = (deadline_us >> kTickShift) + 1;
  if (tick < current_tick_) tick = current_tick_;
  // Beyond the horizon: as far as the wheel reaches, and again from there.
  if (tick >= current_tick_ + kSlotCount) tick = current_tick_ + kSlotCount - 1;
  Entry& entry = entries_[owner];
  if (entry.slot_plus_one != 0) {
    const uint64_t old_slot = entry.slot_plus_one - 1U;
    const uint64_t old_tick = current_tick_ + ((old_slot - current_tick_) & (kSlotCount - 1));
    if (old_tick <= tick) return;
    cancel(owner);
  }
  const uint64_t slot = tick & (kSlotCount - 1);
  slots_[slot].push_back(links_, owner);
  occupied_[slot / 64] |= uint64_t{1} << (slot % 64);
  entry.slot_plus_one = static_cast<uint16_t>(slot + 1);
  ++armed_count_;
}

void TimerWheel::cancel(Index owner) {
  Entry& entry = entries_[owner];
  if (entry.slot_plus_one == 0) return;
  const uint64_t slot = entry.slot_plus_one - 1U;
  slots_[slot].remove(links_, owner);
  if (slots_[slot].empty()) occupied_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
  entry.slot_plus_one = 0;
  --armed_count_;
}

uint64_t TimerWheel::first_occupied_tick() const {
  if (armed_count_ == 0) return kNever;
  // From the current slot to the end of its word, then word by word around the wheel.
  const uint64_t start = current_tick_ & (kSlotCount - 1);
  uint64_t word = start / 64;
  uint64_t bits = occupied_[word] & (kNever << (start % 64));
  for (uint64_t i = 0; i <= occupied_.size(); ++i) {
    if (bits != 0) {
      // The compiler may write tzcnt, which an old or emulated CPU runs as bsf: the same unless bits is zero.
      const uint64_t slot = word * 64 + static_cast<uint64_t>(__builtin_ctzll(bits));
      return current_tick_ + ((slot - current_tick_) & (kSlotCount - 1));
    }
    word = (word + 1) % occupied_.size();
    bits = occupied_[word];
  }
  return kNever;
}

Index TimerWheel::pop_expired(uint64_t now_us) {
  const uint64_t now_tick = now_us >> kTickShift;
  if (current_tick_ > now_tick) return kNoIndex;
  const uint64_t tick = first_occupied_tick();
  if (tick > now_tick) {
    // This tick is done with: until the next one, a look costs one compare.
    current_tick_ = now_tick + 1;
    return kNoIndex;
  }
  current_tick_ = tick;
  const Index owner = slots_[tick & (kSlotCount - 1)].first;
  cancel(owner);
  return owner;
}

uint64_t TimerWheel::next_deadline_us() const {
  const uint64_t tick = first_occupied_tick();
  return tick == kNever ? kNever : tick << kTickShift;
}

}  // namespace cheshire::grin
