// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/checksum.h"

#include <cstring>

namespace cheshire::grin {
namespace {

template <typename Word>
uint64_t load(const std::byte* from) {
  Word value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// Adds 32 bytes in the same way.
uint64_t add_half_block(const std::byte* from, uint64_t sum) {
  asm("addq (%1), %0\n\t"
      "adcq 8(%1), %0\n\t"
      "adcq 16(%1), %0\n\t"
      "adcq 24(%1), %0\n\t"
      "adcq $0, %0"
      : "+r"(sum)
      : "r"(from), "m"(*reinterpret_cast<const std::byte(*)[32]>(from))
      : "cc");
  return sum;
}

uint64_t add_two_quads(const std::byte* from, uint64_t sum) {
  asm("addq (%1), %0\n\t"
      "adcq 8(%1), %0\n\t"
      "adcq $0, %0"
      : "+r"(sum)
      : "r"(from), "m"(*reinterpret_cast<const std::byte(*)[16]>(from))
      : "cc");
  return sum;
}

// 64 bytes in one chain of add-with-carry: one instruction per 8 bytes.
uint64_t add_block(const std::byte* from, uint64_t sum) {
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

uint64_t partial_checksum(std::span<const std::byte> bytes, uint64_t sum) {
  const std::byte* cursor = bytes.data();
  size_t left_bytes = bytes.size();
  for (; left_bytes >= 64; left_bytes -= 64, cursor += 64) sum = add_block(cursor, sum);
  // No loop over what is left: a header is 20 to 40 bytes, and most of a loop is the loop.
  if ((left_bytes & 32) != 0) {
    sum = add_half_block(cursor, sum);
    cursor += 32;
  }
  if ((left_bytes & 16) != 0) {
    sum = add_two_quads(cursor, sum);
    cursor += 16;
  }
  if ((left_bytes & 8) != 0) {
    sum = add_sums(sum, load<uint64_t>(cursor));
    cursor += 8;
  }
  if ((left_bytes & 4) != 0) {
    sum = add_sums(sum, load<uint32_t>(cursor));
    cursor += 4;
  }
  if ((left_bytes & 3) == 0) return sum;
  uint64_t tail = 0;
  if ((left_bytes & 2) != 0) {
    tail = load<uint16_t>(cursor);
    cursor += 2;
  }
  if ((left_bytes & 1) != 0) tail |= load<uint8_t>(cursor) << (8 * (left_bytes & 2));
  return add_sums(sum, tail);
}

}  // namespace cheshire::grin
