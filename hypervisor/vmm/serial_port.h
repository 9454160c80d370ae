// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// COM1, as much of a 16550 as guests that only print ask for: what they write goes out line by line. No
// input, no interrupts. A guest may write for ever: a line has a bound, and an output that nobody reads
// drops lines.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cheshire {

class SerialPort {
 public:
  // `fd` stays the caller's; -1 drops everything.
  explicit SerialPort(int fd) : fd_(fd) {}

  // `reg` is 0 to 7.
  void write(unsigned reg, uint8_t value);
  [[nodiscard]] uint8_t read(unsigned reg) const;
  // Writes the line that the guest has begun and not ended; for the end of the guest.
  void flush();
  [[nodiscard]] uint64_t lines_dropped() const { return lines_dropped_; }

 private:
  static constexpr size_t kLineBytesMax = 512;

  const int fd_;
  std::array<uint8_t, 8> registers_{};
  std::array<char, kLineBytesMax> line_{};
  size_t line_bytes_ = 0;
  uint64_t lines_dropped_ = 0;
};

}  // namespace cheshire
