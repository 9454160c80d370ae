// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Whose rings are looked at when. An empty look costs some ten nanoseconds, so a thousand guests cannot all be looked
// at each time: those that packets went to or came from lately, the hot ones, come first, all others in turns.
//
// The worker's thread only. No DPDK: what a look is, and what is done with what it finds, is the caller's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/worker/slot.h"

namespace cheshire {

class GuestPoll {
 public:
  explicit GuestPoll(SlotArray& slots) : slots_(slots) { hot_.reserve(slots.size()); }

  // Packets went to this guest.
  void becomes_hot(SlotIndex index, Slot& slot) {
    slot.empty_looks = 0;
    if (slot.hot) [[likely]]
      return;
    slot.hot = true;
    hot_.push_back(index);  // within what was reserved at start
  }

  // One round of looks, of the slots in `alive` and no others: look(index, slot) says whether there was anything.
  // Fewer looks where clients' packets came in, more after some rounds without anything to do. Returns whether
  // anything was found.
  template <typename Look>
  bool round(bool clients_came, std::span<const SlotIndex> alive, Look&& look);

 private:
  static constexpr size_t kHotLooksUnderLoad = 16;  // while packets of clients come in; else every hot one
  static constexpr size_t kQuietLooksUnderLoad = 4;
  static constexpr size_t kQuietLooks = 16;       // in a turn without packets of clients
  static constexpr size_t kQuietLooksIdle = 128;  // after some turns without anything to do
  static constexpr uint32_t kIdleRounds = 64;
  static constexpr uint16_t kEmptyLooksUntilQuiet = 4096;

  template <typename Look>
  bool look_at_hot(bool clients_came, Look&& look);
  template <typename Look>
  bool look_at_quiet(bool clients_came, std::span<const SlotIndex> alive, Look&& look);

  SlotArray& slots_;
  std::vector<SlotIndex> hot_;
  size_t hot_next_ = 0;
  size_t alive_next_ = 0;
  uint32_t idle_rounds_ = 0;  // in a row
};

template <typename Look>
bool GuestPoll::look_at_hot(bool clients_came, Look&& look) {
  bool found = false;
  for (size_t looks = clients_came ? std::min(hot_.size(), kHotLooksUnderLoad) : hot_.size(); looks > 0;
       --looks) {
    if (hot_next_ >= hot_.size()) hot_next_ = 0;
    const SlotIndex index = hot_[hot_next_];
    Slot& slot = slots_[index.value];
    if (slot.alive()) {
      if (look(index, slot)) {
        found = true;
        slot.empty_looks = 0;
      }
      if (++slot.empty_looks < kEmptyLooksUntilQuiet) {
        ++hot_next_;
        continue;
      }
    }
    slot.hot = false;
    hot_[hot_next_] = hot_.back();
    hot_.pop_back();
  }
  return found;
}

template <typename Look>
bool GuestPoll::look_at_quiet(bool clients_came, std::span<const SlotIndex> alive, Look&& look) {
  bool found = false;
  size_t looks = idle_rounds_ >= kIdleRounds ? kQuietLooksIdle : kQuietLooks;
  if (clients_came) looks = kQuietLooksUnderLoad;
  for (looks = std::min(looks, alive.size()); looks > 0; --looks) {
    if (alive_next_ >= alive.size()) alive_next_ = 0;
    const SlotIndex index = alive[alive_next_++];
    Slot& slot = slots_[index.value];
    if (slot.hot || !look(index, slot)) continue;
    found = true;
    becomes_hot(index, slot);
  }
  return found;
}

template <typename Look>
bool GuestPoll::round(bool clients_came, std::span<const SlotIndex> alive, Look&& look) {
  bool found = look_at_hot(clients_came, look);
  // Else nobody is quiet; or a dead one is about to leave hot_.
  if (hot_.size() != alive.size() && look_at_quiet(clients_came, alive, look)) found = true;
  idle_rounds_ = found || clients_came ? 0 : idle_rounds_ + 1;
  return found;
}

}  // namespace cheshire
