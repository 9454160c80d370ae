// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/parse.h"

#include "dataplane/packet/checksum.h"

namespace cheshire {
namespace {

void dropped(ParsedPacket& packet, DropReason reason) {
  packet.kind = PacketKind::kDrop;
  packet.reason = reason;
}

[[gnu::always_inline]] inline void parse_tcp(std::span<const uint8_t> frame, ParsedPacket& packet,
                                             const Ipv4Header& ip, bool checksum_known_good) {
  if (packet.l4_length < sizeof(TcpHeader)) return dropped(packet, DropReason::k_truncated_tcp);
  const auto& tcp = header_at<TcpHeader>(frame.data(), packet.l4_offset);
  const auto header_length = static_cast<uint8_t>((tcp.data_offset >> 4U) * 4U);
  if (header_length < sizeof(TcpHeader) || header_length > packet.l4_length) {
    return dropped(packet, DropReason::k_bad_tcp_header);
  }
  if (!checksum_known_good) {
    const uint64_t sum = tcp_pseudo_header_sum(ip.source, ip.destination, packet.l4_length) +
                         checksum_sum_20(frame.data() + packet.l4_offset) +
                         checksum_sum(frame.subspan(packet.l4_offset, packet.l4_length).subspan(20));
    if (checksum_fold(sum) != 0xffff) return dropped(packet, DropReason::k_bad_tcp_checksum);
  }
  if (impossible_flags(tcp.flags)) return dropped(packet, DropReason::k_bad_tcp_flags);
  packet.kind = PacketKind::kTcp;
  packet.tcp_flags = tcp.flags;
  packet.tcp_header_length = header_length;
}

void parse_icmp(std::span<const uint8_t> frame, ParsedPacket& packet) {
  if (packet.l4_length < sizeof(IcmpHeader)) return dropped(packet, DropReason::k_truncated_icmp);
  const auto& icmp = header_at<IcmpHeader>(frame.data(), packet.l4_offset);
  const uint64_t sum = checksum_sum(frame.subspan(packet.l4_offset, packet.l4_length));
  if (checksum_fold(sum) != 0xffff) return dropped(packet, DropReason::k_bad_icmp_checksum);
  if (icmp.type != kIcmpEchoRequest || icmp.code != 0) {
    return dropped(packet, DropReason::k_icmp_unhandled);
  }
  packet.kind = PacketKind::kIcmpEcho;
}

[[gnu::always_inline]] inline void parse_ipv4(std::span<const uint8_t> frame, ParsedPacket& packet,
                                              ChecksumsKnownGood known) {
  const size_t available = frame.size() - packet.l3_offset;
  if (available < sizeof(Ipv4Header)) return dropped(packet, DropReason::k_truncated_ipv4);
  const auto& ip = header_at<Ipv4Header>(frame.data(), packet.l3_offset);
  const size_t header_length = (ip.version_ihl & 0x0fU) * 4U;
  if ((ip.version_ihl >> 4U) != 4 || header_length < sizeof(Ipv4Header)) {
    return dropped(packet, DropReason::k_bad_ipv4_header);
  }
  const size_t total_length = ip.total_length.value();
  if (total_length < header_length || total_length > available) {
    return dropped(packet, DropReason::k_bad_ipv4_length);
  }
  if (header_length != sizeof(Ipv4Header)) return dropped(packet, DropReason::k_ipv4_options);
  if (!known.ipv4 && checksum_fold(checksum_sum_20(frame.data() + packet.l3_offset)) != 0xffff) {
    return dropped(packet, DropReason::k_bad_ipv4_checksum);
  }
  if ((ip.flags_fragment.value() & kIpv4FragmentMask) != 0) return dropped(packet, DropReason::k_fragment);
  if (impossible_source(ip.source)) return dropped(packet, DropReason::k_bad_source);

  packet.l4_offset = static_cast<uint16_t>(packet.l3_offset + header_length);
  packet.l4_length = static_cast<uint16_t>(total_length - header_length);
  packet.frame_length = static_cast<uint16_t>(packet.l3_offset + total_length);
  if (ip.protocol == kIpProtocolTcp) return parse_tcp(frame, packet, ip, known.l4);
  if (ip.protocol == kIpProtocolIcmp) return parse_icmp(frame, packet);
  return dropped(packet, DropReason::k_not_tcp);
}

void parse_arp(std::span<const uint8_t> frame, ParsedPacket& packet) {
  if (frame.size() - packet.l3_offset < sizeof(ArpHeader)) return dropped(packet, DropReason::k_bad_arp);
  const auto& arp = header_at<ArpHeader>(frame.data(), packet.l3_offset);
  if (arp.hardware_type.value() != 1 || arp.protocol_type.value() != kEtherTypeIpv4 ||
      arp.hardware_size != 6 || arp.protocol_size != 4 || arp.operation.value() != kArpOperationRequest) {
    return dropped(packet, DropReason::k_bad_arp);
  }
  packet.kind = PacketKind::kArp;
  packet.frame_length = static_cast<uint16_t>(packet.l3_offset + sizeof(ArpHeader));
}

}  // namespace

void parse_frame(std::span<const uint8_t> frame, ChecksumsKnownGood known, ParsedPacket& packet) {
  packet = ParsedPacket{};
  if (frame.size() < sizeof(EthernetHeader)) return dropped(packet, DropReason::k_truncated_ethernet);
  const auto& ethernet = header_at<EthernetHeader>(frame.data(), 0);
  uint16_t ether_type = ethernet.ether_type.value();
  packet.l3_offset = sizeof(EthernetHeader);

  if (ether_type == kEtherTypeVlan) {
    if (frame.size() < sizeof(EthernetHeader) + sizeof(VlanTag)) {
      return dropped(packet, DropReason::k_truncated_ethernet);
    }
    const auto& tag = header_at<VlanTag>(frame.data(), sizeof(EthernetHeader));
    packet.vlan_tci = tag.tci.value();
    ether_type = tag.ether_type.value();
    packet.l3_offset += sizeof(VlanTag);
    if (ether_type == kEtherTypeVlan) return dropped(packet, DropReason::k_stacked_vlan);
    // Also what makes kNoVlan mean "no tag", and nothing else.
    if ((packet.vlan_tci & kVlanIdMask) == kVlanIdReserved) {
      return dropped(packet, DropReason::k_reserved_vlan);
    }
  }
  if (ether_type == kEtherTypeIpv4) return parse_ipv4(frame, packet, known);
  if (ether_type == kEtherTypeArp) return parse_arp(frame, packet);
  return dropped(packet, DropReason::k_not_ipv4);
}

}  // namespace cheshire
