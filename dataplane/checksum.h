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

// One's complement sum of the 20 bytes of a header without options: half of the bytes that are ever summed.
inline uint64_t checksum_sum_20(const uint8_t* bytes) {
  uint64_t first;
  uint64_t second;
  uint32_t third;
  std::memcpy(&first, bytes, 8);
  std::memcpy(&second, bytes + 8, 8);
  std::memcpy(&third, bytes + 16, 4);
  return (first >> 32U) + (first & 0xffffffff) + (second >> 32U) + (second & 0xffffffff) + third;
}

// One's complement sum of the bytes, not yet folded or inverted.
inline uint64_t checksum_sum(std::span<const uint8_t> bytes) {
  uint64_t sum = 0;
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 4; left -= 4, at += 4) {
    uint32_t word;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  if (left >= 2) {
    uint16_t word;
    std::memcpy(&word, at, 2);
    sum += word;
    left -= 2;
    at += 2;
  }
  if (left == 1) sum += *at;
  return sum;
}

inline uint64_t tcp_pseudo_header_sum(be32 source, be32 destination, uint16_t tcp_length) {
  return uint64_t{source.raw()} + destination.raw() + be16(kIpProtocolTcp).raw() + be16(tcp_length).raw();
}

// The change of a checksum when fields change from old to new: ~m + m' of RFC 1624, constant per service.
class ChecksumDelta {
 public:
  ChecksumDelta& replace(be32 from, be32 to) {
    sum_ += uint64_t{~from.raw()} + to.raw();
    return *this;
  }
  ChecksumDelta& replace(be16 from, be16 to) {
    sum_ += uint64_t{static_cast<uint16_t>(~from.raw())} + to.raw();
    return *this;
  }
  // HC' = ~(~HC + ~m + m')
  [[nodiscard]] be16 apply(be16 checksum) const {
    return be16::from_raw(
        static_cast<uint16_t>(~checksum_fold(uint64_t{static_cast<uint16_t>(~checksum.raw())} + fold())));
  }

 private:
  [[nodiscard]] uint16_t fold() const { return checksum_fold(sum_); }
  uint64_t sum_ = 0;
};

}  // namespace cheshire
