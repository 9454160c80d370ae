// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Time and size units. Time is nanoseconds of CLOCK_MONOTONIC everywhere outside of the polling loop.
#pragma once

#include <cstdint>
#include <ctime>

namespace cheshire {

inline constexpr uint64_t kNsPerUs = 1'000;
inline constexpr uint64_t kNsPerMs = 1'000'000;
inline constexpr uint64_t kNsPerSecond = 1'000'000'000;
inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// For people: logs and tables.
constexpr double ns_to_ms(uint64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

// A vDSO read, no system call.
inline uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace cheshire
