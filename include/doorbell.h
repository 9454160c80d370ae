// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Wakes a thread that naps when there is something for it on a ring: one thread sleeps, any number ring.
//
//   sleeper   sleep(longest_ns, is_there_work)
//   ringer    push onto the ring; ring()
//
// Why no ring is missed: the sleeper stores asleep = 1 and then looks for work; the ringer pushes its work and
// then looks at asleep. Both have a sequentially consistent fence in between, so at least one of them sees what
// the other wrote (the store-buffer litmus test): the sleeper sees the work and stays awake, or the ringer sees
// it asleep and wakes it. The kernel compares `asleep` again before it puts the thread to sleep.
//
// While the sleeper is awake a ring costs a fence and a load. It is a system call (FUTEX_WAKE) only when the
// sleeper sleeps, at most once per sleep: the one system call that a polling worker makes beside its own nap,
// and only where the control thread is configured to nap (control.tick above 0). A call beats the nap that the
// edge would have to wait for by an order of magnitude; bench/reaction_bench measures both.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

#include "units.h"

namespace cheshire {

class Doorbell {
 public:
  Doorbell() = default;
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // The sleeper. Returns when somebody rang, after `longest_ns`, at once if there is work, or for no reason.
  template <typename IsThereWork>
  void sleep(uint64_t longest_ns, IsThereWork&& is_there_work) {
    asleep_.store(1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // partner: the fence in ring()
    if (!is_there_work()) {
      const timespec longest{.tv_sec = static_cast<time_t>(longest_ns / kNsPerSecond),
                             .tv_nsec = static_cast<long>(longest_ns % kNsPerSecond)};
      futex(FUTEX_WAIT_PRIVATE, 1, &longest);
    }
    asleep_.store(0, std::memory_order_relaxed);
  }

  // Any thread, after its work can be seen.
  void ring() {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // partner: the fence in sleep()
    if (asleep_.load(std::memory_order_relaxed) == 0) return;
    if (asleep_.exchange(0, std::memory_order_relaxed) == 0) return;
    futex(FUTEX_WAKE_PRIVATE, 1, nullptr);
  }

 private:
  void futex(int operation, uint32_t value, const timespec* timeout) {
    ::syscall(SYS_futex, &asleep_, operation, value, timeout, nullptr, 0);
  }

  std::atomic<uint32_t> asleep_{0};
  static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4);
};

}  // namespace cheshire
