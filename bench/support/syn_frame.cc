// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/support/syn_frame.h"

#include <cstring>

#include "dataplane/packet/checksum.h"

namespace cheshire {
namespace {

constexpr uint16_t kGuestTcpPort = 8080;
constexpr uint16_t kFirstClientPort = 1024;
constexpr uint64_t kClientPorts = 64000;
constexpr be32 kClientAddress{0x0a000001};  // 10.0.0.1
constexpr be32 kGuestAddress{0x0a000002};   // grin's default

uint16_t client_port(uint64_t number) {
  return static_cast<uint16_t>(kFirstClientPort + number % kClientPorts);
}

}  // namespace

SynFrame frame_to_guest(uint64_t number, uint8_t flags) {
  SynFrame frame{};
  frame.ethernet = {kGuestMac, kGatewayMac, be16(kEtherTypeIpv4)};
  frame.ip.version_ihl = 0x45;
  frame.ip.total_length = be16(sizeof frame.ip + sizeof frame.tcp);
  frame.ip.flags_fragment = be16(kIpv4DontFragment);
  frame.ip.ttl = 64;
  frame.ip.protocol = kIpProtocolTcp;
  frame.ip.source = kClientAddress;
  frame.ip.destination = kGuestAddress;
  frame.tcp.source_port = be16(client_port(number));
  frame.tcp.destination_port = be16(kGuestTcpPort);
  frame.tcp.sequence = be32(static_cast<uint32_t>(number) + (flags == kTcpRst ? 1 : 0));
  frame.tcp.data_offset = 5 << 4;
  frame.tcp.flags = flags;
  frame.tcp.window = be16(65535);
  const auto bytes_of = [](const auto& header) {
    return std::span(reinterpret_cast<const uint8_t*>(&header), sizeof header);
  };
  const auto finished = [](uint64_t sum) {
    return be16::from_raw(static_cast<uint16_t>(~checksum_fold(sum)));
  };
  frame.ip.checksum = finished(checksum_sum(bytes_of(frame.ip)));
  frame.tcp.checksum =
      finished(tcp_pseudo_header_sum(frame.ip.source, frame.ip.destination, sizeof frame.tcp) +
               checksum_sum(bytes_of(frame.tcp)));
  return frame;
}

bool is_syn_ack(std::span<const uint8_t> packet, uint64_t number) {
  if (packet.size() < sizeof(SynFrame)) return false;
  SynFrame frame;
  std::memcpy(&frame, packet.data(), sizeof frame);
  return frame.ethernet.ether_type == be16(kEtherTypeIpv4) && frame.ip.protocol == kIpProtocolTcp &&
         frame.tcp.flags == (kTcpSyn | kTcpAck) && frame.tcp.destination_port == be16(client_port(number)) &&
         frame.tcp.acknowledgment == be32(static_cast<uint32_t>(number) + 1);
}

}  // namespace cheshire
