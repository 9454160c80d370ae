// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Packets on their way to one guest's ring: a bounded FIFO that lives across turns, so that a guest that is a
// little late (its vCPU was scheduled away) does not cost its clients a retransmission. Full is a drop,
// counted by the caller.
#pragma once

#include <array>
#include <cstdint>

struct rte_mbuf;

namespace cheshire {

class PacketQueue {
 public:
  static constexpr uint32_t kCapacity = 256;
  static_assert((kCapacity & (kCapacity - 1)) == 0);

  [[nodiscard]] bool push(rte_mbuf* packet) {
    if (size() == kCapacity) return false;
    packets_[tail_++ % kCapacity] = packet;
    return true;
  }
  [[nodiscard]] uint32_t size() const { return tail_ - head_; }
  [[nodiscard]] bool empty() const { return tail_ == head_; }
  [[nodiscard]] uint32_t room() const { return kCapacity - size(); }

  // The oldest packets that lie next to each other in memory, and how many: for one burst call.
  [[nodiscard]] rte_mbuf** front() { return &packets_[head_ % kCapacity]; }
  [[nodiscard]] uint32_t contiguous() const {
    const uint32_t until_end = kCapacity - head_ % kCapacity;
    return size() < until_end ? size() : until_end;
  }
  void pop(uint32_t count) {
    head_ += count;
    if (head_ == tail_) clear();
  }
  // Begins at the front again: a queue that is emptied each turn stays in the same cache line.
  void clear() { head_ = tail_ = 0; }

 private:
  uint32_t head_ = 0;
  uint32_t tail_ = 0;
  std::array<rte_mbuf*, kCapacity> packets_{};
};

}  // namespace cheshire
