// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The one place where bytes from outside are checked. Later stages trust what stands in ParsedPacket and
// index the frame with it; nobody else looks at a length field.
//
//   frame: [ Ethernet 14 ][ 802.1Q 4, optional ][ IPv4 20 ][ TCP 20..60 ][ payload ][ padding ]
//                                               ^l3_offset ^l4_offset  <- l4_length ->
//
// Pure: no DPDK, no state. Fuzzed by tests/fuzz/parse_fuzz.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/checksum.h"
#include "drop_reason.h"
#include "net.h"

namespace cheshire {

enum class PacketKind : uint8_t {
  kDrop,      // see reason
  kTcp,       // a whole TCP segment in one IPv4 packet
  kArp,       // a request: who has target_ip?
  kIcmpEcho,  // an echo request
};

// No TCI: VLAN 4095 is reserved (IEEE 802.1Q), and frames that carry it are dropped.
inline constexpr uint16_t kNoVlan = 0xffff;

struct ParsedPacket {
  PacketKind kind = PacketKind::kDrop;
  DropReason reason = DropReason::k_truncated_ethernet;  // with kDrop
  uint8_t tcp_flags = 0;
  uint8_t tcp_header_length = 0;
  uint16_t l3_offset = 0;
  uint16_t l4_offset = 0;
  uint16_t l4_length = 0;  // header and payload
  uint16_t vlan_tci = kNoVlan;
  // The frame without padding: l3_offset + IPv4 total length.
  uint16_t frame_length = 0;
};

// What the NIC has already verified.
struct ChecksumsKnownGood {
  bool ipv4 = false;
  bool l4 = false;
};

// What nearly every packet is, without a call: untagged IPv4 and TCP, without options in either. False: it is
// something else, or there is something wrong with it: ask parse_frame(). True: as parse_frame() says.
[[nodiscard]] inline bool parse_plain_tcp(std::span<const uint8_t> frame, ChecksumsKnownGood known,
                                          ParsedPacket& packet);
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
inline bool impossible_source(be32 source) {
  const uint32_t top = source.value() >> 24U;
  return top == 0 || top == 127 || top >= 224;
}

// Combinations that no stack sends, and that scanners and fuzzers do.
inline bool impossible_flags(uint8_t flags) {
  if ((flags & (kTcpSyn | kTcpRst | kTcpAck | kTcpFin)) == 0) return true;
  return (flags & kTcpSyn) != 0 && (flags & (kTcpFin | kTcpRst)) != 0;
}

inline bool parse_plain_tcp(std::span<const uint8_t> frame, ChecksumsKnownGood known, ParsedPacket& packet) {
  constexpr uint16_t kIp = sizeof(EthernetHeader);
  constexpr uint16_t kTcp = kIp + sizeof(Ipv4Header);
  if (frame.size() < kTcp + sizeof(TcpHeader)) return false;
  const auto& ethernet = header_at<EthernetHeader>(frame.data(), 0);
  const auto& ip = header_at<Ipv4Header>(frame.data(), kIp);
  const auto& tcp = header_at<TcpHeader>(frame.data(), kTcp);
  const size_t length = ip.total_length.value();
  const bool plain = ethernet.ether_type == be16(kEtherTypeIpv4) && ip.version_ihl == 0x45 &&
                     ip.protocol == kIpProtocolTcp &&
                     (ip.flags_fragment.raw() & be16(kIpv4FragmentMask).raw()) == 0 &&
                     tcp.data_offset >> 4U == 5 && length >= sizeof(Ipv4Header) + sizeof(TcpHeader) &&
                     length <= frame.size() - kIp;
  if (!plain || impossible_source(ip.source) || impossible_flags(tcp.flags)) return false;
  const auto segment = static_cast<uint16_t>(length - sizeof(Ipv4Header));
  if (!known.ipv4 && checksum_fold(checksum_sum_20(frame.data() + kIp)) != 0xffff) return false;
  if (!known.l4) {
    uint64_t sum =
        tcp_pseudo_header_sum(ip.source, ip.destination, segment) + checksum_sum_20(frame.data() + kTcp);
    if (segment != sizeof(TcpHeader)) {
      sum += checksum_sum(frame.subspan(kTcp + sizeof(TcpHeader), segment - sizeof(TcpHeader)));
    }
    if (checksum_fold(sum) != 0xffff) return false;
  }
  packet = {.kind = PacketKind::kTcp,
            .tcp_flags = tcp.flags,
            .tcp_header_length = sizeof(TcpHeader),
            .l3_offset = kIp,
            .l4_offset = kTcp,
            .l4_length = segment,
            .vlan_tci = kNoVlan,
            .frame_length = static_cast<uint16_t>(kIp + length)};
  return true;
}

// Sequence space that a segment takes: payload, and one each for SYN and FIN (RFC 9293 3.4).
inline uint32_t tcp_sequence_length(const ParsedPacket& packet) {
  return static_cast<uint32_t>(packet.l4_length - packet.tcp_header_length) +
         ((packet.tcp_flags & kTcpSyn) != 0 ? 1U : 0U) + ((packet.tcp_flags & kTcpFin) != 0 ? 1U : 0U);
}

}  // namespace cheshire
