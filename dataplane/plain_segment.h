// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What nearly every packet is, recognised at a glance: an untagged TCP segment in IPv4 without options in
// either, with the right Ethernet address. Everything else, and everything that is wrong in any way, is for
// parse_frame(), which says what.
//
// The headers are compared eight bytes at a time under a mask, and the same words are summed for the checksums:
//
//   0 destination MAC | 6 source MAC | 12 EtherType | 14 version, IHL | 20 fragment | 23 protocol | 26 source |
//   30 destination | 34 ports | 46 data offset | 47 flags
//
// Pure: no DPDK, no state.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "dataplane/checksum.h"
#include "dataplane/parse.h"
#include "net.h"

namespace cheshire {

inline uint64_t load64(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}
inline uint32_t load32(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}
inline uint16_t load16(const uint8_t* bytes) {
  uint16_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

inline constexpr uint16_t kPlainL3 = sizeof(EthernetHeader);
inline constexpr uint16_t kPlainL4 = kPlainL3 + sizeof(Ipv4Header);

// The first 24 bytes of such frames.
class PlainHeaders {
 public:
  [[nodiscard]] static PlainHeaders of_anybody() { return PlainHeaders(nullptr, 0); }
  [[nodiscard]] static PlainHeaders to(const MacAddress& mac) {
    return PlainHeaders(&mac, offsetof(EthernetHeader, destination));
  }
  [[nodiscard]] static PlainHeaders from(const MacAddress& mac) {
    return PlainHeaders(&mac, offsetof(EthernetHeader, source));
  }
  [[nodiscard]] bool match(const uint8_t* frame) const {
    const auto differs = [&](size_t word) {
      return (load64(frame + 8 * word) & mask_[word]) ^ wanted_[word];
    };
    return (differs(0) | differs(1) | differs(2)) == 0;
  }

 private:
  PlainHeaders(const MacAddress* mac, size_t mac_offset) {
    std::array<uint8_t, 24> mask{};
    std::array<uint8_t, 24> wanted{};
    const auto want = [&](size_t offset, std::span<const uint8_t> bytes, std::span<const uint8_t> under) {
      std::memcpy(&wanted[offset], bytes.data(), bytes.size());
      std::memcpy(&mask[offset], under.data(), under.size());
    };
    if (mac != nullptr) want(mac_offset, mac->bytes, kBroadcastMac.bytes);
    want(12, std::array<uint8_t, 3>{kEtherTypeIpv4 >> 8U, kEtherTypeIpv4 & 0xffU, 0x45},
         std::array<uint8_t, 3>{0xff, 0xff, 0xff});
    want(20, std::array<uint8_t, 4>{0, 0, 0, kIpProtocolTcp},
         std::array<uint8_t, 4>{kIpv4FragmentMask >> 8U, kIpv4FragmentMask & 0xffU, 0, 0xff});
    std::memcpy(mask_.data(), mask.data(), mask.size());
    std::memcpy(wanted_.data(), wanted.data(), wanted.size());
  }

  std::array<uint64_t, 3> mask_;
  std::array<uint64_t, 3> wanted_;
};

// Bit n: a segment may have the flags n, of the lowest five.
constexpr uint32_t possible_flags() {
  uint32_t possible = 0;
  for (uint8_t flags = 0; flags < 32; ++flags) possible |= (impossible_flags(flags) ? 0U : 1U) << flags;
  return possible;
}

// Whether the two checksums are right. `segment`: length of TCP header and payload.
[[nodiscard]] inline bool plain_ipv4_sum_is_good(const uint8_t* frame) {
  const uint64_t sum = checksum_add(load64(frame + 14), load64(frame + 26));
  return checksum_sum_is_good(checksum_add(sum, load32(frame + 22)));
}
[[gnu::noinline]] inline uint64_t plain_payload_sum(const uint8_t* payload, size_t length) {
  return checksum_sum({payload, length});
}
[[nodiscard]] inline bool plain_tcp_sum_is_good(const uint8_t* frame, uint16_t segment) {
  uint64_t sum = be16(kIpProtocolTcp).raw() + uint64_t{be16(segment).raw()} + load32(frame + 50);
  if (segment != sizeof(TcpHeader)) [[unlikely]] {
    sum += plain_payload_sum(frame + kPlainL4 + sizeof(TcpHeader), segment - sizeof(TcpHeader));
  }
  sum = checksum_add(sum, load64(frame + 26));
  sum = checksum_add(sum, load64(frame + 34));
  return checksum_sum_is_good(checksum_add(sum, load64(frame + 42)));
}

// False: it is something else, or there is something wrong with it: ask parse_frame(). True: `packet` is as
// parse_frame() says it.
[[nodiscard, gnu::always_inline]] inline bool parse_plain_segment(const PlainHeaders& headers,
                                                                  std::span<const uint8_t> frame,
                                                                  ChecksumsKnownGood known,
                                                                  ParsedPacket& packet) {
  constexpr uint16_t kPayload = kPlainL4 + sizeof(TcpHeader);
  constexpr uint32_t kPossible = possible_flags();
  if (frame.size() < kPayload) return false;
  const uint8_t* bytes = frame.data();
  if (!headers.match(bytes)) return false;
  const uint8_t flags = bytes[kPlainL4 + offsetof(TcpHeader, flags)];
  const uint32_t end =
      kPlainL3 + uint32_t{__builtin_bswap16(load16(bytes + kPlainL3 + offsetof(Ipv4Header, total_length)))};
  if ((bytes[kPlainL4 + offsetof(TcpHeader, data_offset)] & 0xf0U) != 0x50 || end < kPayload ||
      end > frame.size() || impossible_source(bytes[kPlainL3 + offsetof(Ipv4Header, source)]) ||
      (kPossible >> (flags & 31U) & 1U) == 0) {
    return false;
  }
  const auto segment = static_cast<uint16_t>(end - kPlainL4);
  if (!known.ipv4 && !plain_ipv4_sum_is_good(bytes)) return false;
  if (!known.l4 && !plain_tcp_sum_is_good(bytes, segment)) return false;
  packet = {.kind = PacketKind::kTcp,
            .tcp_flags = flags,
            .tcp_header_length = sizeof(TcpHeader),
            .l3_offset = kPlainL3,
            .l4_offset = kPlainL4,
            .l4_length = segment,
            .frame_length = static_cast<uint16_t>(end),
            .vlan_tci = kNoVlan,
            .plain = (flags & (kTcpSyn | kTcpFin | kTcpRst)) == 0};
  return true;
}

}  // namespace cheshire
