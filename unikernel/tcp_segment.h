// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A TCP segment as it came in, checked once; and arithmetic on sequence numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/wire.h"

namespace cheshire::grin {

// RFC 9293 3.4: modulo 2^32.
[[nodiscard]] constexpr bool seq_before(uint32_t left, uint32_t right) {
  return static_cast<int32_t>(left - right) < 0;
}
[[nodiscard]] constexpr bool seq_after(uint32_t left, uint32_t right) {
  return seq_before(right, left);
}

struct Segment {
  MacAddress source_mac = {};
  uint32_t source_ip = 0;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgment = 0;
  uint8_t flags = 0;
  uint16_t window = 0;
  uint16_t max_segment = 0;  // option 2; 0 if absent
  std::span<const std::byte> payload;

  [[nodiscard]] bool has(uint8_t flag) const { return (flags & flag) != 0; }
  // SEG.LEN of RFC 9293 3.4
  [[nodiscard]] uint32_t length() const {
    return static_cast<uint32_t>(payload.size()) + (has(kTcpSyn) ? 1 : 0) + (has(kTcpFin) ? 1 : 0);
  }
};

// `bytes` is the payload of an IPv4 packet between the two addresses. False if a length or the checksum is
// wrong. source_mac is left to the caller.
[[nodiscard]] bool parse_segment(std::span<const std::byte> bytes, uint32_t source_ip,
                                 uint32_t destination_ip, Segment& segment);

}  // namespace cheshire::grin
