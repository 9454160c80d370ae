// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/checksum.h"

#include <cstring>

namespace grin {
namespace {

std::uint64_t load64(const std::byte* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// 64 bytes in one chain of add-with-carry: one instruction per 8 bytes.
std::uint64_t add_block(const std::byte* from, std::uint64_t sum) {
  asm("addq (%1), %0\n\t"
      "adcq 8(%1), %0\n\t"
      "adcq 16(%1), %0\n\t"
      "adcq 24(%1), %0\n\t"
      "adcq 32(%1), %0\n\t"
      "adcq 40(%1), %0\n\t"
      "adcq 48(%1), %0\n\t"
      "adcq 56(%1), %0\n\t"
      "adcq $0, %0"
      : "+r"(sum)
      : "r"(from), "m"(*reinterpret_cast<const std::byte(*)[64]>(from))
      : "cc");
  return sum;
}

}  // namespace

std::uint64_t partial_checksum(std::span<const std::byte> bytes, std::uint64_t sum) {
  const std::byte* cursor = bytes.data();
  std::size_t left_bytes = bytes.size();
  for (; left_bytes >= 64; left_bytes -= 64, cursor += 64) sum = add_block(cursor, sum);
  for (; left_bytes >= 8; left_bytes -= 8, cursor += 8) sum = add_sums(sum, load64(cursor));
  if (left_bytes == 0) return sum;
  std::uint64_t tail = 0;
  for (std::size_t i = left_bytes; i != 0; --i) {
    tail = (tail << 8) | std::to_integer<std::uint64_t>(cursor[i - 1]);
  }
  return add_sums(sum, tail);
}

std::uint64_t pseudo_header_sum(std::uint32_t source, std::uint32_t destination, std::uint8_t protocol,
                                std::size_t size_bytes) {
  const auto size = static_cast<std::uint16_t>(size_bytes);
  return std::uint64_t{__builtin_bswap32(source)} + __builtin_bswap32(destination) + __builtin_bswap16(size) +
         (std::uint64_t{protocol} << 8);
}

}  // namespace grin
