// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/answer.h"

#include <cstddef>
#include <utility>

#include "check.h"
#include "dataplane/packet/checksum.h"

namespace cheshire {
namespace {

constexpr uint8_t kOurTtl = 64;
constexpr uint16_t kProbeWindow = 1024;
constexpr uint8_t kTcpHeaderWords = sizeof(TcpHeader) / 4;

void turn_ethernet(uint8_t* frame, const MacAddress& from) {
  auto& ethernet = header_at<EthernetHeader>(frame, 0);
  ethernet.destination = ethernet.source;
  ethernet.source = from;
}

be16 checksum_of(const uint8_t* bytes, size_t length, uint64_t extra = 0) {
  return be16::from_raw(static_cast<uint16_t>(~checksum_fold(checksum_sum({bytes, length}) + extra)));
}

// Fills in all but the addresses, which the caller has set, and both checksums.
void finish_bare_segment(uint8_t* l3, uint32_t sequence, uint32_t acknowledgment, uint8_t flags) {
  auto& ip = header_at<Ipv4Header>(l3, 0);
  ip.version_ihl = 0x45;
  ip.dscp_ecn = 0;
  ip.total_length = be16(sizeof(Ipv4Header) + sizeof(TcpHeader));
  ip.identification = be16(0);
  ip.flags_fragment = be16(kIpv4DontFragment);
  ip.ttl = kOurTtl;
  ip.protocol = kIpProtocolTcp;
  ip.checksum = be16(0);
  ip.checksum = checksum_of(l3, sizeof(Ipv4Header));

  auto& tcp = header_at<TcpHeader>(l3, sizeof(Ipv4Header));
  tcp.sequence = be32(sequence);
  tcp.acknowledgment = be32(acknowledgment);
  tcp.data_offset = kTcpHeaderWords << 4U;
  tcp.flags = flags;
  tcp.window = be16((flags & kTcpSyn) != 0 ? kProbeWindow : 0);
  tcp.urgent = be16(0);
  tcp.checksum = be16(0);
  tcp.checksum = checksum_of(l3 + sizeof(Ipv4Header), sizeof(TcpHeader),
                             tcp_pseudo_header_sum(ip.source, ip.destination, sizeof(TcpHeader)));
}

}  // namespace

void make_arp_reply(uint8_t* frame, const ParsedPacket& packet, const MacAddress& mac) {
  turn_ethernet(frame, mac);
  auto& arp = header_at<ArpHeader>(frame, packet.l3_offset);
  const be32 asked = arp.target_ip;
  arp.operation = be16(kArpOperationReply);
  arp.target_mac = arp.sender_mac;
  arp.target_ip = arp.sender_ip;
  arp.sender_mac = mac;
  arp.sender_ip = asked;
}

void make_echo_reply(uint8_t* frame, const ParsedPacket& packet, const MacAddress& mac) {
  turn_ethernet(frame, mac);
  auto& ip = header_at<Ipv4Header>(frame, packet.l3_offset);
  std::swap(ip.source, ip.destination);
  ip.ttl = kOurTtl;  // RFC 1122 3.2.1.7: not what was left of the request's
  ip.checksum = be16(0);
  ip.checksum = checksum_of(frame + packet.l3_offset, sizeof(Ipv4Header));
  // In full: by difference, a reply whose other words are all zero would get 0 instead of 0xffff.
  auto& icmp = header_at<IcmpHeader>(frame, packet.l4_offset);
  icmp.type = kIcmpEchoReply;
  icmp.checksum = be16(0);
  icmp.checksum = checksum_of(frame + packet.l4_offset, packet.l4_length);
}

uint16_t make_reset_reply(uint8_t* frame, const ParsedPacket& packet) {
  CHECK(packet.kind == PacketKind::kTcp && (packet.tcp_flags & kTcpRst) == 0);
  auto& ethernet = header_at<EthernetHeader>(frame, 0);
  std::swap(ethernet.source, ethernet.destination);
  auto& ip = header_at<Ipv4Header>(frame, packet.l3_offset);
  std::swap(ip.source, ip.destination);
  auto& tcp = header_at<TcpHeader>(frame, packet.l4_offset);
  std::swap(tcp.source_port, tcp.destination_port);

  if ((packet.tcp_flags & kTcpAck) != 0) {
    finish_bare_segment(frame + packet.l3_offset, tcp.acknowledgment.value(), 0, kTcpRst);
  } else {
    finish_bare_segment(frame + packet.l3_offset, 0, tcp.sequence.value() + tcp_sequence_length(packet),
                        kTcpRst | kTcpAck);
  }
  return static_cast<uint16_t>(packet.l3_offset + sizeof(Ipv4Header) + sizeof(TcpHeader));
}

uint16_t write_reset(uint8_t* frame, const ResetToClient& reset) {
  auto& ethernet = header_at<EthernetHeader>(frame, 0);
  ethernet = {.destination = reset.client_mac, .source = reset.nic_mac, .ether_type = be16(kEtherTypeIpv4)};
  size_t l3_offset = sizeof(EthernetHeader);
  if (reset.vlan_tci != kNoVlan) {
    ethernet.ether_type = be16(kEtherTypeVlan);
    header_at<VlanTag>(frame, l3_offset) = {.tci = be16(reset.vlan_tci), .ether_type = be16(kEtherTypeIpv4)};
    l3_offset += sizeof(VlanTag);
  }
  auto& ip = header_at<Ipv4Header>(frame, l3_offset);
  ip.source = reset.vip;
  ip.destination = reset.client_ip;
  auto& tcp = header_at<TcpHeader>(frame, l3_offset + sizeof(Ipv4Header));
  tcp.source_port = reset.vip_port;
  tcp.destination_port = reset.client_port;
  finish_bare_segment(frame + l3_offset, reset.sequence, 0, kTcpRst);
  return static_cast<uint16_t>(l3_offset + sizeof(Ipv4Header) + sizeof(TcpHeader));
}

void write_probe(uint8_t* frame, be32 gateway_ip, be32 guest_ip, be16 guest_port, uint32_t sequence) {
  constexpr uint16_t kProbePort = 9;  // discard: no client is behind it
  header_at<EthernetHeader>(frame, 0) = {
      .destination = kGuestMac, .source = kGatewayMac, .ether_type = be16(kEtherTypeIpv4)};
  constexpr size_t kL3 = sizeof(EthernetHeader);
  auto& ip = header_at<Ipv4Header>(frame, kL3);
  ip.source = gateway_ip;
  ip.destination = guest_ip;
  auto& tcp = header_at<TcpHeader>(frame, kL3 + sizeof(Ipv4Header));
  tcp.source_port = be16(kProbePort);
  tcp.destination_port = guest_port;
  finish_bare_segment(frame + kL3, sequence, 0, kTcpSyn);
}

}  // namespace cheshire
