// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A copy of some bytes on the heap that ends where they end, so that the address sanitizer sees the first
// byte read or written behind them. (A vector may have room left, which hides it.)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace cheshire::test {

class ExactBuffer {
 public:
  explicit ExactBuffer(std::span<const uint8_t> bytes)
      : size_(bytes.size()), bytes_(std::make_unique<uint8_t[]>(bytes.size())) {
    std::copy(bytes.begin(), bytes.end(), bytes_.get());
  }
  [[nodiscard]] uint8_t* data() { return bytes_.get(); }
  [[nodiscard]] std::span<const uint8_t> span() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::vector<uint8_t> bytes() const { return {bytes_.get(), bytes_.get() + size_}; }

 private:
  size_t size_;
  std::unique_ptr<uint8_t[]> bytes_;
};

}  // namespace cheshire::test
