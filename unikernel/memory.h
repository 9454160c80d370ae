// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Memory is taken once, at start, from what the VMM gave us beyond the image. It reads as zero (abi.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace cheshire::grin {

class Arena {
 public:
  explicit Arena(std::span<std::byte> memory) : next_(memory.data()), end_(next_ + memory.size()) {}

  [[nodiscard]] size_t left_bytes() const { return static_cast<size_t>(end_ - next_); }

  // An array of zeroed objects, or an empty span if there is no room.
  template <typename T>
  [[nodiscard]] std::span<T> take(size_t count) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= kAlignmentBytes);
    const size_t size_bytes = (count * sizeof(T) + kAlignmentBytes - 1) & ~(kAlignmentBytes - 1);
    if (size_bytes > left_bytes()) return {};
    std::byte* const start = next_;
    next_ += size_bytes;
    return {reinterpret_cast<T*>(start), count};
  }

  static constexpr size_t kAlignmentBytes = 64;

 private:
  std::byte* next_;  // always a multiple of kAlignmentBytes
  std::byte* end_;
};

}  // namespace cheshire::grin
