// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Chance from a seed. The distributions of the standard library differ between libraries; these do not, so a seed
// means the same world everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "check.h"

namespace cheshire::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  [[nodiscard]] uint64_t any() { return engine_(); }
  [[nodiscard]] uint64_t below(uint64_t bound) {
    CHECK(bound > 0);
    return engine_() % bound;
  }
  // Both ends included.
  [[nodiscard]] uint64_t between(uint64_t least, uint64_t most) { return least + below(most - least + 1); }
  [[nodiscard]] bool percent(uint64_t chance) { return below(100) < chance; }
  [[nodiscard]] bool per_million(uint64_t chance) { return chance != 0 && below(1'000'000) < chance; }
  // Small values often, large ones sometimes: each power of two between the ends is as likely as the next.
  [[nodiscard]] uint64_t spread(uint64_t least, uint64_t most) {
    uint64_t doublings = 0;
    while (doublings < 63 && (least << doublings) < most) ++doublings;
    const uint64_t low = least << below(doublings + 1);
    return low >= most ? most : between(low, low * 2 < most ? low * 2 : most);
  }
  template <typename List>
  [[nodiscard]] auto& one_of(List& list) {
    return list[below(list.size())];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace cheshire::sim
