// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The Internet checksum (RFC 1071).
//
// A partial sum is a 64-bit one's complement sum of the data read as little-endian words. Sums of pieces may
// be added as long as each piece but the last has an even size. finish_checksum() folds and inverts: its
// result is written to the packet as it is in memory, and is zero over a packet whose checksum field is
// right.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/wire.h"

namespace grin {

[[nodiscard]] constexpr std::uint64_t add_sums(std::uint64_t left, std::uint64_t right) {
  const std::uint64_t sum = left + right;
  return sum + (sum < left ? 1 : 0);
}

[[nodiscard]] std::uint64_t partial_checksum(std::span<const std::byte> bytes, std::uint64_t sum = 0);

// The pseudo header of TCP (RFC 9293 3.1).
[[nodiscard]] std::uint64_t pseudo_header_sum(std::uint32_t source, std::uint32_t destination,
                                              std::uint8_t protocol, std::size_t size_bytes);

[[nodiscard]] constexpr std::uint16_t finish_checksum(std::uint64_t sum) {
  std::uint64_t folded = (sum & 0xffff'ffff) + (sum >> 32);
  folded = (folded & 0xffff) + (folded >> 16);
  folded = (folded & 0xffff) + (folded >> 16);
  folded = (folded & 0xffff) + (folded >> 16);
  return static_cast<std::uint16_t>(~folded);
}

// Stores what finish_checksum() returned.
inline void store_checksum(Be16& field, std::uint16_t checksum) {
  field.set(__builtin_bswap16(checksum));  // swaps back
}

}  // namespace grin
