// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The Internet checksum: in full (RFC 1071) and by difference (RFC 1624, equation 3). Sums are kept over the
// 16-bit words as they lie in memory: the one's complement sum does not care about byte order, as long as
// nobody mixes the two.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "be.h"
#include "net.h"

namespace cheshire {

constexpr uint16_t checksum_fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32U);
  sum = (sum & 0xffff) + (sum >> 16U);
  sum = (sum & 0xffff) + (sum >> 16U);
  sum = (sum & 0xffff) + (sum >> 16U);
  return static_cast<uint16_t>(sum);
}

// One's complement sum of two words of 64 bits: 2^64 is 1 modulo 0xffff, so the carry comes back in.
constexpr uint64_t checksum_add(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum + (sum < a ? 1 : 0);
}

// The same sum in 33 bits, so that a few may be added up without losing a carry.
constexpr uint64_t checksum_shorten(uint64_t sum) {
  return (sum & 0xffffffff) + (sum >> 32U);
}

// Whether data that sums up so, its checksum included, is intact: checksum_fold(sum) is 0xffff, which is to say
// that the sum is a multiple of 0xffff, but not 0. No header that we accept sums up to 0. A multiple of an odd
// number is told by a multiplication (Granlund and Montgomery, "Division by Invariant Integers", 1994, 9).
constexpr bool checksum_sum_is_good(uint64_t sum) {
  constexpr uint64_t kInverse = 0xfffefffefffeffffULL;
  static_assert(kInverse * 0xffff == 1);
  return sum * kInverse <= UINT64_MAX / 0xffff;
}

// One's complement sum of the 20 bytes of a header without options: half of the bytes that are ever summed.
inline uint64_t checksum_sum_20(const uint8_t* bytes) {
  uint64_t first;
  uint64_t second;
  uint32_t third;
  std::memcpy(&first, bytes, 8);
  std::memcpy(&second, bytes + 8, 8);
  std::memcpy(&third, bytes + 16, 4);
  return checksum_shorten(checksum_add(checksum_add(first, second), third));
}

// One's complement sum of the bytes, not yet folded or inverted, in 33 bits.
inline uint64_t checksum_sum(std::span<const uint8_t> bytes) {
  uint64_t sum = 0;
  uint64_t other = 0;  // two chains of additions run side by side
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  const auto load = [&]<typename Word>(Word word) {
    std::memcpy(&word, at, sizeof(word));
    at += sizeof(word);
    return uint64_t{word};
  };
  for (; left >= 16; left -= 16) {
    sum = checksum_add(sum, load(uint64_t{}));
    other = checksum_add(other, load(uint64_t{}));
  }
  if ((left & 8U) != 0) sum = checksum_add(sum, load(uint64_t{}));
  uint64_t tail = 0;
  if ((left & 4U) != 0) tail += load(uint32_t{});
  if ((left & 2U) != 0) tail += load(uint16_t{});
  if ((left & 1U) != 0) tail += load(uint8_t{});
  return checksum_shorten(checksum_add(checksum_add(sum, other), tail));
}

inline uint64_t tcp_pseudo_header_sum(be32 source, be32 destination, uint16_t tcp_length) {
  return uint64_t{source.raw()} + destination.raw() + be16(kIpProtocolTcp).raw() + be16(tcp_length).raw();
}

// The change of a checksum when fields change from old to new: ~m + m' of RFC 1624, constant per service.
class ChecksumDelta {
 public:
  ChecksumDelta& replace(be32 from, be32 to) { return add(uint64_t{~from.raw()} + to.raw()); }
  ChecksumDelta& replace(be16 from, be16 to) {
    return add(uint64_t{static_cast<uint16_t>(~from.raw())} + to.raw());
  }
  // HC' = ~(~HC + ~m + m'): two numbers of 16 bits, so that one carry at the most comes back in.
  [[nodiscard]] be16 apply(be16 checksum) const {
    const uint32_t sum = uint32_t{static_cast<uint16_t>(~checksum.raw())} + sum_;
    return be16::from_raw(static_cast<uint16_t>(~(sum + (sum >> 16U))));
  }

 private:
  ChecksumDelta& add(uint64_t sum) {
    sum_ = checksum_fold(sum_ + sum);
    return *this;
  }
  uint16_t sum_ = 0;
};

}  // namespace cheshire
