// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Frames for tests, byte by byte.
//
// A frame is a struct whose fields are those of the headers, with the values of an ordinary packet; a test
// names only what it changes, right or wrong:
//
//   Bytes frame = build(TcpFrame{.ip = {.ttl = 3}, .tcp = {.flags = kTcpSyn}, .payload = text("GET /")});
//
// Lengths and checksums are optional fields: left empty, build() computes them. The headers are written and
// the checksums summed here in the plainest way, without the code under test: a mistake in include/net.h or
// dataplane/packet/checksum.h does not hide in its own reflection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "net.h"

namespace cheshire::test {

using Bytes = std::vector<uint8_t>;

inline constexpr MacAddress kClientMac{{0x52, 0x54, 0x00, 0x11, 0x22, 0x33}};
inline constexpr MacAddress kNicMac{{0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee}};
inline constexpr be32 kClientIp{0xc6336407};  // 198.51.100.7 (RFC 5737)
inline constexpr be32 kVip{0xc000020a};       // 192.0.2.10
inline constexpr be32 kGuestIp{0x0a000002};   // 10.0.0.2
inline constexpr uint16_t kClientPort = 40000;
inline constexpr uint16_t kVipPort = 80;
inline constexpr uint16_t kGuestPort = 8080;

inline Bytes text(std::string_view characters) {
  return {characters.begin(), characters.end()};
}

// --- big-endian numbers ---

inline void append8(Bytes& to, unsigned value) {
  to.push_back(static_cast<uint8_t>(value & 0xffU));
}
inline void append16(Bytes& to, unsigned value) {
  append8(to, value >> 8U);
  append8(to, value);
}
inline void append32(Bytes& to, uint32_t value) {
  append16(to, value >> 16U);
  append16(to, value & 0xffffU);
}
inline void append(Bytes& to, std::span<const uint8_t> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}
inline uint16_t read16(std::span<const uint8_t> from, size_t offset) {
  return static_cast<uint16_t>(from[offset] * 256U + from[offset + 1]);
}
inline uint32_t read32(std::span<const uint8_t> from, size_t offset) {
  return read16(from, offset) * 65536U + read16(from, offset + 2);
}
inline void write16(std::span<uint8_t> to, size_t offset, unsigned value) {
  to[offset] = static_cast<uint8_t>(value >> 8U & 0xffU);
  to[offset + 1] = static_cast<uint8_t>(value & 0xffU);
}

// --- the Internet checksum as RFC 1071 defines it: big-endian words, an odd byte padded with zero ---

inline uint16_t plain_checksum(std::span<const uint8_t> bytes) {
  uint32_t sum = 0;
  for (size_t at = 0; at < bytes.size(); at += 2) {
    const unsigned low = at + 1 < bytes.size() ? bytes[at + 1] : 0U;
    sum += bytes[at] * 256U + low;
    if (sum > 0xffff) sum -= 0xffff;  // the carry comes back in at the end
  }
  return static_cast<uint16_t>(0xffffU - sum);
}

inline Bytes with_pseudo_header(be32 source, be32 destination, std::span<const uint8_t> segment) {
  Bytes all;
  append32(all, source.value());
  append32(all, destination.value());
  append16(all, kIpProtocolTcp);
  append16(all, static_cast<unsigned>(segment.size()));
  append(all, segment);
  return all;
}

// --- frames ---

struct EthernetFields {
  MacAddress destination = kNicMac;
  MacAddress source = kClientMac;
  std::optional<uint16_t> vlan_tci;         // empty: no tag
  std::optional<uint16_t> ether_type;       // empty: what the frame holds; with a tag, the one inside it
  std::optional<uint16_t> second_vlan_tci;  // a tag within the tag
};

struct Ipv4Fields {
  uint8_t version = 4;
  std::optional<uint8_t> header_words;  // empty: as long as it is
  uint8_t dscp_ecn = 0;
  std::optional<uint16_t> total_length;  // empty: as long as it is
  uint16_t identification = 0x1234;
  uint16_t flags_fragment = kIpv4DontFragment;
  uint8_t ttl = 64;
  std::optional<uint8_t> protocol;   // empty: what the frame holds
  std::optional<uint16_t> checksum;  // empty: the right one
  be32 source = kClientIp;
  be32 destination = kVip;
  Bytes options;
};

struct TcpFields {
  uint16_t source_port = kClientPort;
  uint16_t destination_port = kVipPort;
  uint32_t sequence = 1000;
  uint32_t acknowledgment = 0;
  std::optional<uint8_t> header_words;
  uint8_t flags = kTcpAck;
  uint16_t window = 65535;
  std::optional<uint16_t> checksum;
  uint16_t urgent = 0;
  Bytes options;
};

struct TcpFrame {
  EthernetFields ethernet;
  Ipv4Fields ip;
  TcpFields tcp;
  Bytes payload;
  size_t padding = 0;  // bytes after the packet, as short frames on Ethernet have
};

struct IcmpFields {
  uint8_t type = kIcmpEchoRequest;
  uint8_t code = 0;
  std::optional<uint16_t> checksum;
  uint16_t identifier = 0x4242;
  uint16_t sequence = 1;
};

struct IcmpFrame {
  EthernetFields ethernet;
  Ipv4Fields ip;
  IcmpFields icmp;
  Bytes payload = text("abcdefgh");
  size_t padding = 0;
};

struct ArpFrame {
  EthernetFields ethernet{.destination = kBroadcastMac};
  uint16_t hardware_type = 1;
  uint16_t protocol_type = kEtherTypeIpv4;
  uint8_t hardware_size = 6;
  uint8_t protocol_size = 4;
  uint16_t operation = kArpOperationRequest;
  MacAddress sender_mac = kClientMac;
  be32 sender_ip = kClientIp;
  MacAddress target_mac{};
  be32 target_ip = kVip;
  size_t padding = 0;
};

// An IPv4 packet with any bytes as its payload.
struct Ipv4Frame {
  EthernetFields ethernet;
  Ipv4Fields ip{.protocol = uint8_t{17}};
  Bytes payload;
  size_t padding = 0;
};

inline void append_ethernet(Bytes& frame, const EthernetFields& fields, uint16_t holds) {
  append(frame, fields.destination.bytes);
  append(frame, fields.source.bytes);
  for (const std::optional<uint16_t>& tci : {fields.vlan_tci, fields.second_vlan_tci}) {
    if (!tci) continue;
    append16(frame, kEtherTypeVlan);
    append16(frame, *tci);
  }
  append16(frame, fields.ether_type.value_or(holds));
}

inline void append_ipv4(Bytes& frame, const Ipv4Fields& fields, uint8_t holds,
                        std::span<const uint8_t> payload) {
  const size_t header_length = 20 + fields.options.size();
  Bytes header;
  append8(header,
          fields.version * 16U + fields.header_words.value_or(static_cast<uint8_t>(header_length / 4)));
  append8(header, fields.dscp_ecn);
  append16(header, fields.total_length.value_or(static_cast<uint16_t>(header_length + payload.size())));
  append16(header, fields.identification);
  append16(header, fields.flags_fragment);
  append8(header, fields.ttl);
  append8(header, fields.protocol.value_or(holds));
  append16(header, 0);
  append32(header, fields.source.value());
  append32(header, fields.destination.value());
  append(header, fields.options);
  write16(header, 10, fields.checksum.value_or(plain_checksum(header)));
  append(frame, header);
  append(frame, payload);
}

inline Bytes build(const TcpFrame& fields) {
  const TcpFields& tcp = fields.tcp;
  Bytes segment;
  append16(segment, tcp.source_port);
  append16(segment, tcp.destination_port);
  append32(segment, tcp.sequence);
  append32(segment, tcp.acknowledgment);
  append8(segment, tcp.header_words.value_or(static_cast<uint8_t>(5 + tcp.options.size() / 4)) * 16U);
  append8(segment, tcp.flags);
  append16(segment, tcp.window);
  append16(segment, 0);
  append16(segment, tcp.urgent);
  append(segment, tcp.options);
  append(segment, fields.payload);
  write16(segment, 16,
          tcp.checksum.value_or(
              plain_checksum(with_pseudo_header(fields.ip.source, fields.ip.destination, segment))));
  Bytes frame;
  append_ethernet(frame, fields.ethernet, kEtherTypeIpv4);
  append_ipv4(frame, fields.ip, kIpProtocolTcp, segment);
  frame.resize(frame.size() + fields.padding);
  return frame;
}

inline Bytes build(const IcmpFrame& fields) {
  Bytes message;
  append8(message, fields.icmp.type);
  append8(message, fields.icmp.code);
  append16(message, 0);
  append16(message, fields.icmp.identifier);
  append16(message, fields.icmp.sequence);
  append(message, fields.payload);
  write16(message, 2, fields.icmp.checksum.value_or(plain_checksum(message)));
  Bytes frame;
  append_ethernet(frame, fields.ethernet, kEtherTypeIpv4);
  append_ipv4(frame, fields.ip, kIpProtocolIcmp, message);
  frame.resize(frame.size() + fields.padding);
  return frame;
}

inline Bytes build(const ArpFrame& fields) {
  Bytes frame;
  append_ethernet(frame, fields.ethernet, kEtherTypeArp);
  append16(frame, fields.hardware_type);
  append16(frame, fields.protocol_type);
  append8(frame, fields.hardware_size);
  append8(frame, fields.protocol_size);
  append16(frame, fields.operation);
  append(frame, fields.sender_mac.bytes);
  append32(frame, fields.sender_ip.value());
  append(frame, fields.target_mac.bytes);
  append32(frame, fields.target_ip.value());
  frame.resize(frame.size() + fields.padding);
  return frame;
}

inline Bytes build(const Ipv4Frame& fields) {
  Bytes frame;
  append_ethernet(frame, fields.ethernet, kEtherTypeIpv4);
  append_ipv4(frame, fields.ip, kIpProtocolTcp, fields.payload);
  frame.resize(frame.size() + fields.padding);
  return frame;
}

// --- what a test wants to know of a finished frame ---

inline bool ipv4_checksum_is_right(std::span<const uint8_t> frame, size_t l3_offset = 14) {
  return plain_checksum(frame.subspan(l3_offset, 20)) == 0;
}

// Of an IPv4 packet without options, by its own total length.
inline bool tcp_checksum_is_right(std::span<const uint8_t> frame, size_t l3_offset = 14) {
  const size_t length = read16(frame, l3_offset + 2) - size_t{20};
  return plain_checksum(with_pseudo_header(be32(read32(frame, l3_offset + 12)),
                                           be32(read32(frame, l3_offset + 16)),
                                           frame.subspan(l3_offset + 20, length))) == 0;
}

inline bool icmp_checksum_is_right(std::span<const uint8_t> frame, size_t l3_offset = 14) {
  const size_t length = read16(frame, l3_offset + 2) - size_t{20};
  return plain_checksum(frame.subspan(l3_offset + 20, length)) == 0;
}

}  // namespace cheshire::test
