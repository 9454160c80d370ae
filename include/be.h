// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Integers in network byte order, as types of their own: they only become numbers through value(). They are
// byte arrays inside, so a header struct made of them has alignment 1 and no padding, and may lie anywhere
// in a packet; a load is still one instruction.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace cheshire {

static_assert(std::endian::native == std::endian::little, "Cheshire runs on little-endian machines");

class be16 {
 public:
  constexpr be16() = default;
  constexpr explicit be16(uint16_t host)
      : bytes_(std::bit_cast<std::array<uint8_t, 2>>(__builtin_bswap16(host))) {}
  static constexpr be16 from_raw(uint16_t raw) { return std::bit_cast<be16>(raw); }
  [[nodiscard]] constexpr uint16_t value() const { return __builtin_bswap16(raw()); }
  // As it lies in memory: for checksums, which do not care about the order, and for hashing.
  [[nodiscard]] constexpr uint16_t raw() const { return std::bit_cast<uint16_t>(bytes_); }
  // Of the bytes as one number: of the array it would be a call of memcmp.
  friend constexpr bool operator==(const be16& a, const be16& b) { return a.raw() == b.raw(); }

 private:
  std::array<uint8_t, 2> bytes_{};
};

class be32 {
 public:
  constexpr be32() = default;
  constexpr explicit be32(uint32_t host)
      : bytes_(std::bit_cast<std::array<uint8_t, 4>>(__builtin_bswap32(host))) {}
  static constexpr be32 from_raw(uint32_t raw) { return std::bit_cast<be32>(raw); }
  [[nodiscard]] constexpr uint32_t value() const { return __builtin_bswap32(raw()); }
  [[nodiscard]] constexpr uint32_t raw() const { return std::bit_cast<uint32_t>(bytes_); }
  friend constexpr bool operator==(const be32& a, const be32& b) { return a.raw() == b.raw(); }

 private:
  std::array<uint8_t, 4> bytes_{};
};

static_assert(sizeof(be16) == 2 && alignof(be16) == 1);
static_assert(sizeof(be32) == 4 && alignof(be32) == 1);

}  // namespace cheshire
