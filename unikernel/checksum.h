// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The Internet checksum (RFC 1071).
//
// A partial sum is a 64-bit one's complement sum of the data read as little-endian words. Sums of pieces may
// be added as long as each piece but the last has an even size. finish_checksum() folds and inverts: its
// result is written to the packet as it is in memory, and is zero over a packet whose checksum field is
// right.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/wire.h"

namespace cheshire::grin {

[[nodiscard]] constexpr uint64_t add_sums(uint64_t left, uint64_t right) {
  uint64_t sum = 0;
  const bool carry = __builtin_add_overflow(left, right, &sum);
  return sum + (carry ? 1 : 0);
}

[[nodiscard]] uint64_t partial_checksum(std::span<const std::byte> bytes, uint64_t sum = 0);

// The pseudo header of TCP (RFC 9293 3.1).
[[nodiscard]] constexpr uint64_t pseudo_header_sum(uint32_t source, uint32_t destination, uint8_t protocol,
                                                   size_t size_bytes) {
  const auto size = static_cast<uint16_t>(size_bytes);
  return uint64_t{__builtin_bswap32(source)} + __builtin_bswap32(destination) + __builtin_bswap16(size) +
         (uint64_t{protocol} << 8);
}

[[nodiscard]] constexpr uint16_t finish_checksum(uint64_t sum) {
  // Rotating by half adds each half to the other: the carry comes out at the bottom of the upper one.
  sum += std::rotr(sum, 32);
  auto folded = static_cast<uint32_t>(sum >> 32);
  folded += std::rotr(folded, 16);
  return static_cast<uint16_t>(~(folded >> 16));
}

// Stores what finish_checksum() returned.
inline void store_checksum(be16& field, uint16_t checksum) {
  field = be16(__builtin_bswap16(checksum));  // swaps back
}

}  // namespace cheshire::grin
