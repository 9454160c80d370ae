// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/stateless_reply.h"

#include <utility>

#include "check.h"
#include "dataplane/packet/checksum.h"

namespace cheshire {
namespace {

constexpr uint8_t kOurTtl = 64;
constexpr uint8_t kOptionMss = 2;

be16 checksum_of(const uint8_t* bytes, size_t length, uint64_t extra = 0) {
  return be16::from_raw(static_cast<uint16_t>(~checksum_fold(checksum_sum({bytes, length}) + extra)));
}

}  // namespace

uint16_t make_stateless_reply(uint8_t* frame, const ParsedPacket& packet, const StatelessReply& reply) {
  CHECK(packet.kind == PacketKind::kTcp && (reply.mss == 0 || reply.payload_length == 0));
  auto& ethernet = header_at<EthernetHeader>(frame, 0);
  std::swap(ethernet.source, ethernet.destination);

  const uint16_t options_length = reply.mss != 0 ? kMssOptionLength : 0;
  const auto tcp_length = static_cast<uint16_t>(sizeof(TcpHeader) + options_length + reply.payload_length);
  uint8_t* l3 = frame + packet.l3_offset;
  auto& ip = header_at<Ipv4Header>(l3, 0);
  std::swap(ip.source, ip.destination);
  ip.version_ihl = 0x45;
  ip.dscp_ecn = 0;
  ip.total_length = be16(static_cast<uint16_t>(sizeof(Ipv4Header) + tcp_length));
  ip.identification = be16(0);
  ip.flags_fragment = be16(kIpv4DontFragment);
  ip.ttl = kOurTtl;
  ip.checksum = be16(0);
  ip.checksum = checksum_of(l3, sizeof(Ipv4Header));

  uint8_t* l4 = l3 + sizeof(Ipv4Header);
  auto& tcp = header_at<TcpHeader>(l4, 0);
  std::swap(tcp.source_port, tcp.destination_port);
  tcp.sequence = be32(reply.sequence);
  tcp.acknowledgment = be32(reply.acknowledgment);
  tcp.data_offset = static_cast<uint8_t>((sizeof(TcpHeader) + options_length) / 4 << 4U);
  tcp.flags = reply.flags;
  tcp.window = be16(reply.window);
  tcp.urgent = be16(0);
  if (reply.mss != 0) {
    l4[sizeof(TcpHeader)] = kOptionMss;
    l4[sizeof(TcpHeader) + 1] = kMssOptionLength;
    header_at<be16>(l4, sizeof(TcpHeader) + 2) = be16(reply.mss);
  }
  tcp.checksum = be16(0);
  tcp.checksum = checksum_of(l4, tcp_length, tcp_pseudo_header_sum(ip.source, ip.destination, tcp_length));
  return static_cast<uint16_t>(packet.l3_offset + sizeof(Ipv4Header) + tcp_length);
}

}  // namespace cheshire
