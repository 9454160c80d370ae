// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A bounded ring between one producer thread and one consumer thread.
//
// Terms: `tail_` counts the items ever pushed, `head_` those ever popped; both only grow, the slot of item n
// is n modulo the capacity (a power of two).
//
// Why it is right: the producer writes the item, then stores tail_ with release; the consumer loads tail_
// with acquire (the partner), so it sees the item whole. The consumer reads the item, then stores head_ with
// release; the producer loads head_ with acquire (the partner) before it overwrites the slot, so it never
// overwrites an item that is still being read. Each side keeps a private copy of the other's index and
// reloads it only when the ring looks full or empty: one shared cache line moves per batch, not per item.
//
// Full is a normal case: push() returns false, the caller counts it and goes on.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "check.h"

namespace cheshire {

template <typename T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit SpscRing(size_t capacity) : mask_(capacity - 1), items_(capacity) {
    CHECK(capacity >= 2 && std::has_single_bit(capacity));
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  // producer only
  [[nodiscard]] bool push(const T& item) {
    return fill_next([&](T& place) { place = item; });
  }
  // producer only: fill(place) writes each field of the item where it stays. One that is put together elsewhere and then
  // copied in large words waits for its own small stores.
  template <typename Fill>
  [[nodiscard]] bool fill_next(Fill&& fill) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);  // partner: the release in pop()
      if (tail - head_seen_ > mask_) return false;
    }
    fill(items_[tail & mask_]);
    tail_.store(tail + 1, std::memory_order_release);  // partner: the acquire in pop()
    return true;
  }

  // producer only: as many as there is room for, the first ones; returns how many. One word to the consumer for all.
  [[nodiscard]] size_t push_some(std::span<const T> items) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (capacity() - (tail - head_seen_) < items.size()) {
      head_seen_ = head_.load(std::memory_order_acquire);  // partner: the release in pop()
    }
    const size_t count = std::min<size_t>(items.size(), capacity() - (tail - head_seen_));
    for (size_t i = 0; i < count; ++i) items_[(tail + i) & mask_] = items[i];
    if (count != 0) tail_.store(tail + count, std::memory_order_release);  // partner: the acquire in pop()
    return count;
  }

  // consumer only
  [[nodiscard]] bool pop(T& item) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);  // partner: the release in push()
      if (head == tail_seen_) return false;
    }
    item = items_[head & mask_];
    head_.store(head + 1, std::memory_order_release);  // partner: the acquire in push()
    return true;
  }

  // consumer only: as many as there are and `into` has room for; returns how many
  [[nodiscard]] size_t pop_some(std::span<T> into) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (tail_seen_ - head < into.size()) {
      tail_seen_ = tail_.load(std::memory_order_acquire);  // partner: the release in push()
    }
    const size_t count = std::min<size_t>(into.size(), tail_seen_ - head);
    for (size_t i = 0; i < count; ++i) into[i] = items_[(head + i) & mask_];
    if (count != 0) head_.store(head + count, std::memory_order_release);  // partner: the acquire in push()
    return count;
  }

  // consumer only; false at once after a push that happened before
  [[nodiscard]] bool empty() {
    if (head_.load(std::memory_order_relaxed) != tail_seen_) return false;
    tail_seen_ = tail_.load(std::memory_order_acquire);  // partner: the release in push()
    return head_.load(std::memory_order_relaxed) == tail_seen_;
  }

  [[nodiscard]] size_t capacity() const { return mask_ + 1; }

 private:
  const uint64_t mask_;
  std::vector<T> items_;
  alignas(64) std::atomic<uint64_t> tail_{0};  // writer: producer; reader: consumer
  uint64_t head_seen_ = 0;                     // producer's copy of head_
  alignas(64) std::atomic<uint64_t> head_{0};  // writer: consumer; reader: producer
  uint64_t tail_seen_ = 0;                     // consumer's copy of tail_
};

}  // namespace cheshire
