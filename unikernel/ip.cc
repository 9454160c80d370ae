// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/ip.h"

#include <cstring>

#include "unikernel/checksum.h"
#include "unikernel/tcp_segment.h"

namespace cheshire::grin {
namespace {

constexpr uint16_t kHardwareEthernet = 1;

// Whether the address may be a source at all (RFC 1122 3.2.1.3).
bool is_unicast(uint32_t ip) {
  const uint32_t net = ip >> 24;
  return net != 0 && net != 127 && net < 224;
}

void write_ethernet(std::span<std::byte> frame, const MacAddress& to, const MacAddress& from,
                    uint16_t ether_type) {
  auto& ethernet = header_at<EthernetHeader>(frame, 0);
  ethernet.destination = to;
  ethernet.source = from;
  ethernet.ether_type = be16(ether_type);
}

}  // namespace

void Ip::input(std::span<const std::byte> frame) {
  if (!input_frame(frame)) ++options_.counters->bad_frames;
}

bool Ip::input_frame(Bytes frame) {
  if (frame.size() < sizeof(EthernetHeader)) return false;
  const auto& ethernet = header_at<EthernetHeader>(frame, 0);
  const bool for_us = ethernet.destination == options_.mac;
  if (!for_us && ethernet.destination != kBroadcastMac) return false;
  const Bytes packet = frame.subspan(sizeof(EthernetHeader));
  switch (ethernet.ether_type.value()) {
    case kEtherTypeArp:
      return input_arp(packet);
    case kEtherTypeIpv4:
      return for_us && input_ipv4(packet, ethernet.source);
    default:
      return false;
  }
}

bool Ip::input_arp(Bytes packet) {
  if (packet.size() < sizeof(ArpHeader)) return false;
  const auto& request = header_at<ArpHeader>(packet, 0);
  if (request.hardware_type.value() != kHardwareEthernet || request.protocol_type.value() != kEtherTypeIpv4 ||
      request.hardware_size != sizeof(MacAddress) || request.protocol_size != sizeof(be32)) {
    return false;
  }
  // Requests for others and gratuitous ones are everyday broadcasts.
  if (request.operation.value() != kArpOperationRequest || request.target_ip.value() != options_.ip)
    return true;
  const std::span<std::byte> room = options_.frames->next_frame();
  if (room.empty()) {
    ++options_.counters->tx_full;
    return true;
  }
  const std::span<std::byte> frame = room.first(sizeof(EthernetHeader) + sizeof(ArpHeader));
  write_ethernet(frame, request.sender_mac, options_.mac, kEtherTypeArp);
  auto& reply = header_at<ArpHeader>(frame, sizeof(EthernetHeader));
  reply = request;
  reply.operation = be16(kArpOperationReply);
  reply.sender_mac = options_.mac;
  reply.sender_ip = be32(options_.ip);
  reply.target_mac = request.sender_mac;
  reply.target_ip = request.sender_ip;
  options_.frames->send(frame.size());
  return true;
}

bool Ip::input_ipv4(Bytes packet, const MacAddress& source_mac) {
  if (packet.size() < sizeof(Ipv4Header)) return false;
  const auto& header = header_at<Ipv4Header>(packet, 0);
  const size_t header_size_bytes = (header.version_ihl & 0xfU) * size_t{4};
  const size_t total_size_bytes = header.total_length.value();
  if (header.version_ihl >> 4 != 4 || header_size_bytes < sizeof(Ipv4Header) ||
      header_size_bytes > total_size_bytes || total_size_bytes > packet.size()) {
    return false;
  }
  if (finish_checksum(partial_checksum(packet.first(header_size_bytes))) != 0) return false;
  if ((header.flags_fragment.value() & kIpv4FragmentMask) != 0) return false;
  if (header.destination.value() != options_.ip || !is_unicast(header.source.value())) return false;
  // Short frames are padded to 60 bytes: only what the header says is the packet.
  const Bytes message = packet.subspan(header_size_bytes, total_size_bytes - header_size_bytes);
  switch (header.protocol) {
    case kIpProtocolTcp:
      return input_tcp(message, header, source_mac);
    case kIpProtocolIcmp:
      return input_icmp(message, header, source_mac);
    default:
      return false;
  }
}

bool Ip::input_tcp(Bytes message, const Ipv4Header& header, const MacAddress& source_mac) {
  Segment segment;
  if (!parse_segment(message, header.source.value(), header.destination.value(), segment)) return false;
  segment.source_mac = source_mac;
  options_.tcp->input(segment);
  return true;
}

bool Ip::input_icmp(Bytes message, const Ipv4Header& request, const MacAddress& source_mac) {
  constexpr size_t kHeadersBytes = sizeof(EthernetHeader) + sizeof(Ipv4Header);
  if (message.size() < sizeof(IcmpHeader) || message.size() > kFrameBytesMax - kHeadersBytes) return false;
  if (finish_checksum(partial_checksum(message)) != 0) return false;
  const auto& icmp = header_at<IcmpHeader>(message, 0);
  if (icmp.type != kIcmpEchoRequest || icmp.code != 0) return true;
  const std::span<std::byte> room = options_.frames->next_frame();
  if (room.empty()) {
    ++options_.counters->tx_full;
    return true;
  }
  const std::span<std::byte> frame = room.first(kHeadersBytes + message.size());
  write_ethernet(frame, source_mac, options_.mac, kEtherTypeIpv4);
  auto& ip = header_at<Ipv4Header>(frame, sizeof(EthernetHeader));
  ip = request;
  ip.version_ihl = 0x45;
  ip.total_length = be16(static_cast<uint16_t>(sizeof(Ipv4Header) + message.size()));
  ip.ttl = 64;
  ip.source = request.destination;
  ip.destination = request.source;
  ip.checksum = be16(0);
  const auto ip_bytes = frame.subspan(sizeof(EthernetHeader), sizeof(Ipv4Header));
  store_checksum(ip.checksum, finish_checksum(partial_checksum(ip_bytes)));
  std::memcpy(frame.data() + kHeadersBytes, message.data(), message.size());
  auto& reply = header_at<IcmpHeader>(frame, kHeadersBytes);
  reply.type = kIcmpEchoReply;
  reply.checksum = be16(0);
  store_checksum(reply.checksum, finish_checksum(partial_checksum(frame.subspan(kHeadersBytes))));
  options_.frames->send(frame.size());
  return true;
}

}  // namespace cheshire::grin
