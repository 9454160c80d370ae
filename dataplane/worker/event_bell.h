// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Wakes a thread that sleeps on descriptors, when there is something for it on a ring: doorbell.h for a sleeper that
// waits for packets, too. One thread sleeps, any number ring.
//
//   sleeper   sleep(is_there_work, wait)   // wait() returns when fd() can be read, among others
//   ringer    push onto the ring; ring()
//
// Why no ring is missed: as in doorbell.h, by a fence on either side between what each writes and what it reads next.
// The sleeper sees the work, or the ringer sees it asleep and writes to the descriptor, which stays readable until the
// sleeper has woken.
//
// While the sleeper is awake a ring costs a fence and a load; a system call only when it sleeps, at most once per sleep.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "check.h"
#include "handle.h"

namespace cheshire {

class EventBell {
 public:
  EventBell() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { CHECK(fd_.valid()); }
  EventBell(const EventBell&) = delete;
  EventBell& operator=(const EventBell&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }

  // The sleeper. Does not wait if there is work.
  template <typename IsThereWork, typename Wait>
  void sleep(IsThereWork&& is_there_work, Wait&& wait) {
    asleep_.store(1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // partner: the fence in ring()
    if (!is_there_work()) wait();
    asleep_.store(0, std::memory_order_relaxed);
    // A ringer that found it asleep may write only after this: then the next sleep ends at once, no more.
    uint64_t rings = 0;
    static_cast<void>(::read(fd_.get(), &rings, sizeof(rings)));
  }

  // Any thread, after its work can be seen.
  void ring() {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // partner: the fence in sleep()
    if (asleep_.load(std::memory_order_relaxed) == 0) return;
    if (asleep_.exchange(0, std::memory_order_relaxed) == 0) return;  // another has rung
    const uint64_t one = 1;
    static_cast<void>(::write(fd_.get(), &one, sizeof(one)));
  }

 private:
  const UniqueFd fd_;
  std::atomic<uint32_t> asleep_{0};
};

}  // namespace cheshire
