// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Text without a C library: append to a fixed buffer, parse numbers. What does not fit is cut off.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace cheshire::grin {

// Appends to memory of the caller.
class TextWriter {
 public:
  explicit constexpr TextWriter(std::span<char> out) : out_(out) {}

  TextWriter& append(std::string_view text) {
    const size_t room = out_.size() - size_;
    const size_t count = text.size() < room ? text.size() : room;
    if (count != 0) std::memcpy(out_.data() + size_, text.data(), count);
    size_ += count;
    return *this;
  }

  TextWriter& append_decimal(uint64_t value) {
    std::array<char, 20> digits;
    size_t first = digits.size();
    do {
      digits[--first] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    return append({digits.data() + first, digits.size() - first});
  }

  // With at least `min_digits` digits, leading zeros included.
  TextWriter& append_hex(uint64_t value, size_t min_digits = 1) {
    std::array<char, 16> digits;
    size_t first = digits.size();
    do {
      digits[--first] = "0123456789abcdef"[value & 15];
      value >>= 4;
    } while (first != 0 && (value != 0 || digits.size() - first < min_digits));
    return append({digits.data() + first, digits.size() - first});
  }

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] std::string_view view() const { return {out_.data(), size_}; }

 private:
  std::span<char> out_;
  size_t size_ = 0;
};

// The same with memory of its own, for a line on the stack.
template <size_t kCapacity>
class TextBuffer : public TextWriter {
 public:
  TextBuffer() : TextWriter(storage_) {}
  TextBuffer(const TextBuffer&) = delete;
  TextBuffer& operator=(const TextBuffer&) = delete;

 private:
  std::array<char, kCapacity> storage_;
};

// The whole text as a number, or nothing: no sign, no blanks, no overflow of 64 bits.
[[nodiscard]] constexpr std::optional<uint64_t> parse_decimal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, 10U, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<unsigned>(digit - '0'), &value)) return std::nullopt;
  }
  return value;
}

}  // namespace cheshire::grin
