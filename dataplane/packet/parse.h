// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The one place where bytes from outside are checked. Later stages trust what stands in ParsedPacket and
// index the frame with it; nobody else looks at a length field.
//
//   frame: [ Ethernet 14 ][ 802.1Q 4, optional ][ IPv4 20 ][ TCP 20..60 ][ payload ][ padding ]
//                                               ^l3_offset ^l4_offset  <- l4_length ->
//
// plain_segment.h knows a shorter way for what most packets are.
//
// Pure: no DPDK, no state. Fuzzed by tests/fuzz/parse_fuzz.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/packet/checksum.h"
#include "drop_reason.h"
#include "net.h"

namespace cheshire {

enum class PacketKind : uint8_t {
  kDrop,      // see reason
  kTcp,       // a whole TCP segment in one IPv4 packet
  kArp,       // a request: who has target_ip?
  kIcmpEcho,  // an echo request
};

struct alignas(16) ParsedPacket {
  PacketKind kind = PacketKind::kDrop;
  DropReason reason = DropReason::k_truncated_ethernet;  // with kDrop
  uint8_t tcp_header_length = 0;
  uint8_t tcp_flags = 0;
  uint16_t l3_offset = 0;
  uint16_t l4_offset = 0;
  uint16_t l4_length = 0;  // header and payload
  // The frame without padding: l3_offset + IPv4 total length.
  uint16_t frame_length = 0;
  uint16_t vlan_tci = kNoVlan;
};
static_assert(sizeof(ParsedPacket) == 16);

// What the NIC has already verified.
struct ChecksumsKnownGood {
  bool ipv4 = false;
  bool l4 = false;
};

// `frame`: at most 65,535 bytes, the most that one packet buffer holds.
void parse_frame(std::span<const uint8_t> frame, ChecksumsKnownGood known, ParsedPacket& packet);
[[nodiscard]] inline ParsedPacket parse_frame(std::span<const uint8_t> frame, ChecksumsKnownGood known = {}) {
  ParsedPacket packet;
  parse_frame(frame, known, packet);
  return packet;
}

// Header views into a frame that parse_frame() accepted as the kind that has them.
template <typename Header>
Header& header_at(uint8_t* frame, size_t offset) {
  static_assert(alignof(Header) == 1);
  return *reinterpret_cast<Header*>(frame + offset);
}
template <typename Header>
const Header& header_at(const uint8_t* frame, size_t offset) {
  static_assert(alignof(Header) == 1);
  return *reinterpret_cast<const Header*>(frame + offset);
}

// Addresses that no host can send from (RFC 1122 3.2.1.3): this-network, loopback, multicast and above.
constexpr bool impossible_source(uint8_t first_byte) {
  return static_cast<uint8_t>(first_byte - 1) >= 223 || first_byte == 127;
}
inline bool impossible_source(be32 source) {
  return impossible_source(static_cast<uint8_t>(source.raw()));
}

// Combinations that no stack sends, and that scanners and fuzzers do.
constexpr bool impossible_flags(uint8_t flags) {
  if ((flags & (kTcpSyn | kTcpRst | kTcpAck | kTcpFin)) == 0) return true;
  return (flags & kTcpSyn) != 0 && (flags & (kTcpFin | kTcpRst)) != 0;
}

// What opens a connection, and what answers that (RFC 9293 3.5).
inline bool is_new_syn(const ParsedPacket& packet) {
  return (packet.tcp_flags & (kTcpSyn | kTcpAck)) == kTcpSyn;
}
inline bool is_syn_ack(const ParsedPacket& packet) {
  constexpr uint8_t kSynAck = kTcpSyn | kTcpAck;
  return (packet.tcp_flags & kSynAck) == kSynAck;
}

// Sequence space that a segment takes: payload, and one each for SYN and FIN (RFC 9293 3.4).
inline uint32_t tcp_sequence_length(const ParsedPacket& packet) {
  return static_cast<uint32_t>(packet.l4_length - packet.tcp_header_length) +
         ((packet.tcp_flags & kTcpSyn) != 0 ? 1U : 0U) + ((packet.tcp_flags & kTcpFin) != 0 ? 1U : 0U);
}

}  // namespace cheshire
