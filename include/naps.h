// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How long a loop sleeps that found nothing to do: short naps first, a quarter longer each time, up to a bound.
// One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "units.h"

namespace cheshire {

inline void nap(uint64_t ns) {
  const timespec time{.tv_sec = static_cast<time_t>(ns / kNsPerSecond),
                      .tv_nsec = static_cast<long>(ns % kNsPerSecond)};
  nanosleep(&time, nullptr);
}

class Naps {
 public:
  Naps(uint64_t first_ns, uint64_t longest_ns)
      : first_ns_(first_ns), longest_ns_(longest_ns), next_ns_(first_ns) {}
  void take() { nap(next()); }
  // How long the nap is to be that is taken now.
  [[nodiscard]] uint64_t next() {
    const uint64_t ns = next_ns_;
    next_ns_ = std::min(next_ns_ + next_ns_ / 4 + 1, longest_ns_);
    return ns;
  }
  void begin_again() { next_ns_ = first_ns_; }

 private:
  uint64_t first_ns_;
  uint64_t longest_ns_;
  uint64_t next_ns_;
};

}  // namespace cheshire
