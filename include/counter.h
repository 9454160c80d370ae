// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A counter with one writer and any number of readers.
//
// The writer is one thread, so it needs no read-modify-write: a relaxed load and a relaxed store compile
// to a plain add in memory. A reader sees some recent value, never a torn one (aligned 64 bits). Nothing
// is ordered by add, set and get: whoever needs "this happened before that" uses a ring (spsc_ring.h), a
// published table (published.h), or the pair publish / observe: what the writer stored before publish(n) is
// seen by a reader whose observe() returned n (release, acquire).
#pragma once

#include <atomic>
#include <cstdint>

namespace cheshire {

class Counter {
 public:
  // writer only
  void add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void increment() { add(1); }
  void subtract(uint64_t n) { add(~n + 1); }  // for levels
  void decrement() { subtract(1); }
  void set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  void publish(uint64_t n) { value_.store(n, std::memory_order_release); }  // partner: observe()
  // any thread
  [[nodiscard]] uint64_t get() const { return value_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t observe() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint64_t> value_{0};
};
static_assert(sizeof(Counter) == 8);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace cheshire
