// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Consistent hashing over a set that changes, in a handful of steps whatever its size: AnchorHash (Mendelson,
// Vargaftik, Barabash, Lorenz, Keslassy and Orda, "AnchorHash: A Scalable Consistent Hash", 2020, algorithm 3).
//
// Terms: `capacity` buckets, of which `size` work. A key is hashed to one of all buckets; while that one does not
// work, it is hashed again, over the buckets that were left when it was taken out: A[b], of which W names the
// successors. Buckets are taken out onto a stack and come back in the opposite order, so that each removal is
// undone exactly.
//
//   every working bucket gets its even share; one that comes or goes moves only its own keys
//   a look-up takes 1 + ln(capacity / size) steps on the average
//
// Names are numbers below `names`, each in one bucket while it is in. One thread only; memory is taken at
// construction. No DPDK.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "check.h"

namespace cheshire {

class AnchorHash {
 public:
  explicit AnchorHash(size_t capacity)
      : taken_out_at_(capacity), successor_(capacity), working_(capacity), place_(capacity), name_(capacity) {
    CHECK(capacity < 0xffff);
    for (uint16_t bucket = 0; bucket < capacity; ++bucket) {
      successor_[bucket] = working_[bucket] = place_[bucket] = bucket;
    }
    // As if all had worked and were taken out, the last one first.
    for (auto bucket = static_cast<uint16_t>(capacity); bucket-- > 0;) {
      free_.push_back(bucket);
      taken_out_at_[bucket] = bucket;
    }
  }

  [[nodiscard]] size_t size() const { return size_; }

  // Returns the name's bucket, by which it is removed. Not beyond the capacity.
  uint16_t add(uint16_t name) {
    CHECK(!free_.empty());
    const uint16_t bucket = free_.back();
    free_.pop_back();
    taken_out_at_[bucket] = 0;
    place_[working_[size_]] = size_;
    working_[place_[bucket]] = bucket;
    successor_[bucket] = bucket;
    name_[bucket] = name;
    ++size_;
    return bucket;
  }

  void remove(uint16_t bucket) {
    CHECK(size_ > 0);
    free_.push_back(bucket);  // within its capacity: it came from there
    --size_;
    taken_out_at_[bucket] = size_;
    working_[place_[bucket]] = working_[size_];
    place_[working_[size_]] = place_[bucket];
    successor_[bucket] = working_[size_];
  }

  // The name that has this key; nothing: nobody is in.
  [[nodiscard]] std::optional<uint16_t> find(uint64_t key) const {
    if (size_ == 0) return {};
    uint16_t bucket = scaled(key, name_.size());
    while (taken_out_at_[bucket] > 0) {
      const uint16_t left = taken_out_at_[bucket];
      uint16_t next = scaled(key ^ (bucket + 1) * 0x9e3779b97f4a7c15ULL, left);
      while (taken_out_at_[next] >= left) next = successor_[next];
      bucket = next;
    }
    return name_[bucket];
  }

 private:
  // 0 .. n-1, without a division (Lemire, 2019), from well mixed bits.
  static uint16_t scaled(uint64_t key, size_t n) {
    key = (key ^ (key >> 33U)) * 0xff51afd7ed558ccdULL;
    key = (key ^ (key >> 33U)) * 0xc4ceb9fe1a85ec53ULL;
    return static_cast<uint16_t>(((key >> 32U) * n) >> 32U);
  }

  // By bucket. The letters are the paper's.
  std::vector<uint16_t> taken_out_at_;  // A: how many worked after it was taken out; 0: it works
  std::vector<uint16_t> successor_;     // K
  std::vector<uint16_t> working_;       // W: the working buckets, by place
  std::vector<uint16_t> place_;         // L: where it stands there
  std::vector<uint16_t> name_;
  std::vector<uint16_t> free_;  // R: a stack
  uint16_t size_ = 0;           // N
};

}  // namespace cheshire
