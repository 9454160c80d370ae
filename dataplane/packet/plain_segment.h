// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What nearly every packet is, recognised at a glance: an untagged TCP segment in IPv4 without options (TCP may have
// them), with the right Ethernet address, and neither SYN, FIN nor RST. Everything else, and everything that is wrong
// in any way, is for parse_frame(), which says what.
//
// The headers are compared sixteen bytes at a time under a mask, and summed eight at a time for the checksums:
//
//   0 destination MAC | 6 source MAC | 12 EtherType | 14 version, IHL | 16 length | 20 fragment | 23 protocol |
//   26 source | 30 destination | 34 ports | 46 data offset | 47 flags | 54 options, payload
//
// Pure: no DPDK, no state.
#pragma once

#ifdef __SSE4_1__
#include <smmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <span>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse.h"
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

// Sixteen bytes, as the compiler's vectors have them.
using Bytes16 [[gnu::vector_size(16)]] = uint64_t;
inline Bytes16 load128(const uint8_t* bytes) {
  Bytes16 word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}
inline bool is_zero(Bytes16 word) {
#ifdef __SSE4_1__
  const auto bits = reinterpret_cast<__m128i>(word);
  return _mm_testz_si128(bits, bits) != 0;
#else
  return (word[0] | word[1]) == 0;
#endif
}

inline constexpr uint16_t kPlainL3 = sizeof(EthernetHeader);
inline constexpr uint16_t kPlainL4 = kPlainL3 + sizeof(Ipv4Header);
inline constexpr uint16_t kPlainEnd = kPlainL4 + sizeof(TcpHeader);  // of the shortest
// Where in such frames the fields are that are looked at one by one.
inline constexpr size_t kPlainLength = kPlainL3 + offsetof(Ipv4Header, total_length);
inline constexpr size_t kPlainSource = kPlainL3 + offsetof(Ipv4Header, source);
inline constexpr size_t kPlainDestination = kPlainL3 + offsetof(Ipv4Header, destination);
inline constexpr size_t kPlainSourcePort = kPlainL4 + offsetof(TcpHeader, source_port);
inline constexpr size_t kPlainDestinationPort = kPlainL4 + offsetof(TcpHeader, destination_port);
inline constexpr size_t kPlainDataOffset = kPlainL4 + offsetof(TcpHeader, data_offset);

// The first 32 bytes of such frames.
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
    return is_zero(((load128(frame) & mask_[0]) ^ wanted_[0]) |
                   ((load128(frame + 16) & mask_[1]) ^ wanted_[1]));
  }

 private:
  PlainHeaders(const MacAddress* mac, size_t mac_offset) {
    std::array<uint8_t, 32> mask{};
    std::array<uint8_t, 32> wanted{};
    const auto want = [&](size_t offset, std::span<const uint8_t> bytes, std::span<const uint8_t> under) {
      std::memcpy(&wanted[offset], bytes.data(), bytes.size());
      std::memcpy(&mask[offset], under.data(), under.size());
    };
    if (mac != nullptr) want(mac_offset, mac->bytes, kBroadcastMac.bytes);
    want(12, std::array<uint8_t, 3>{kEtherTypeIpv4 >> 8U, kEtherTypeIpv4 & 0xffU, 0x45},
         std::array<uint8_t, 3>{0xff, 0xff, 0xff});
    want(20, std::array<uint8_t, 4>{0, 0, 0, kIpProtocolTcp},
         std::array<uint8_t, 4>{kIpv4FragmentMask >> 8U, kIpv4FragmentMask & 0xffU, 0, 0xff});
    for (size_t half = 0; half < 2; ++half) {
      mask_[half] = load128(&mask[16 * half]);
      wanted_[half] = load128(&wanted[16 * half]);
    }
  }

  std::array<Bytes16, 2> mask_;
  std::array<Bytes16, 2> wanted_;
};

// Address and port that such a frame is for, as one number.
inline uint64_t plain_destination(be32 address, be16 port) {
  return uint64_t{port.raw()} << 48U | address.raw();
}
inline uint64_t plain_destination(const uint8_t* frame) {
  static_assert(kPlainDestinationPort == kPlainDestination + 6);
  return load64(frame + kPlainDestination) & 0xffff0000ffffffffULL;  // the source's port is in between
}
// Address and port of one side as they stand in a FlowKey.
inline uint64_t client_bits(const uint8_t* address, const uint8_t* port) {
  return uint64_t{load16(port)} << 32U | load32(address);
}

// Whether the two checksums are right. `segment`: length of TCP header and payload.
[[nodiscard]] inline bool plain_ipv4_sum_is_good(const uint8_t* frame) {
  const uint64_t sum = checksum_add(load64(frame + 14), load64(frame + 22));
  return checksum_sum_is_good(checksum_add(sum, load32(frame + 30)));
}
[[gnu::noinline]] inline uint64_t plain_rest_sum(const uint8_t* rest, size_t length) {
  return checksum_sum({rest, length});
}
[[nodiscard]] inline bool plain_tcp_sum_is_good(const uint8_t* frame, uint32_t segment) {
  // The pseudo-header's length is the packet's without its IP header. Swapping the bytes of a word multiplies it by 256
  // modulo 0xffff, so the difference may be taken of swapped ones; 0xffff is added to keep it positive.
  constexpr uint64_t kPseudoHeader =
      uint64_t{0xffff} - be16(sizeof(Ipv4Header)).raw() + be16(kIpProtocolTcp).raw();
  uint64_t sum = uint64_t{load16(frame + kPlainLength)} + load32(frame + 50) + kPseudoHeader;
  if (segment == sizeof(TcpHeader) + 12) {  // an ACK with timestamps, as every Linux sends it
    sum = checksum_add(sum + load32(frame + kPlainEnd), load64(frame + kPlainEnd + 4));
  } else if (segment != sizeof(TcpHeader)) {
    sum += plain_rest_sum(frame + kPlainEnd, segment - sizeof(TcpHeader));
  }
  sum = checksum_add(sum, load64(frame + 26));
  sum = checksum_add(sum, load64(frame + 34));
  return checksum_sum_is_good(checksum_add(sum, load64(frame + 42)));
}

// What parse_frame() says of such a segment, put together in two registers: field by field it is twice as much work.
// `header`: length of the TCP header, and in the byte above it the flags.
inline void set_plain(ParsedPacket& packet, uint32_t header, uint32_t segment) {
  static_assert(offsetof(ParsedPacket, tcp_header_length) == 2 && offsetof(ParsedPacket, tcp_flags) == 3);
  static_assert(offsetof(ParsedPacket, l4_length) == 8 && offsetof(ParsedPacket, frame_length) == 10);
  constexpr ParsedPacket kWithoutLengths{.kind = PacketKind::kTcp,
                                         .l3_offset = kPlainL3,
                                         .l4_offset = kPlainL4,
                                         .frame_length = kPlainL4,
                                         .vlan_tci = kNoVlan};
  auto words = std::bit_cast<std::array<uint64_t, 2>>(kWithoutLengths);
  words[0] += header << 16U;
  words[1] += segment * 0x10001U;
  std::memcpy(static_cast<void*>(&packet), words.data(), sizeof(packet));
}

// False: it is something else, or there is something wrong with it: ask parse_frame(). True: `packet` is as
// parse_frame() says it.
[[nodiscard, gnu::always_inline]] inline bool parse_plain_segment(const PlainHeaders& headers,
                                                                  std::span<const uint8_t> frame,
                                                                  ChecksumsKnownGood known,
                                                                  ParsedPacket& packet) {
  if (frame.size() < kPlainEnd) return false;
  const uint8_t* bytes = frame.data();
  if (!headers.match(bytes)) return false;
  // Too small a length makes the difference a huge one.
  const uint32_t segment =
      uint32_t{__builtin_bswap16(load16(bytes + kPlainLength))} - uint32_t{sizeof(Ipv4Header)};
  static_assert(offsetof(TcpHeader, flags) == offsetof(TcpHeader, data_offset) + 1);
  const uint32_t offset_and_flags = load16(bytes + kPlainDataOffset);
  const uint32_t header = (offset_and_flags & 0xf0U) >> 2U;  // in bytes
  constexpr uint32_t kTelling = kTcpSyn | kTcpFin | kTcpRst | kTcpAck;
  if (segment > frame.size() - kPlainL4 || header < sizeof(TcpHeader) || header > segment ||
      impossible_source(bytes[kPlainSource]) ||
      (offset_and_flags & kTelling << 8U) != uint32_t{kTcpAck} << 8U) {
    return false;
  }
  if (!known.ipv4 && !plain_ipv4_sum_is_good(bytes)) return false;
  if (!known.l4 && !plain_tcp_sum_is_good(bytes, segment)) return false;
  set_plain(packet, header | (offset_and_flags & 0xff00U), segment);
  return true;
}

}  // namespace cheshire
