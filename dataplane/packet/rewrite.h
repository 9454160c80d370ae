// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From VIP:port to the guest's own address and port, and back. Only addresses change, so checksums are
// carried over by difference (RFC 1624): a packet that was damaged on the way stays detectably damaged. Where
// the guest has the VIP itself, only the Ethernet addresses change.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse.h"
#include "steering_table.h"

namespace cheshire {

// Constants of one service, made when a steering table comes in.
class ServiceRewrite {
  // Destination and source side by side: two stores instead of four.
  static constexpr std::array<MacAddress, 2> kToGuest = {kGuestMac, kGatewayMac};
  static_assert(sizeof(kToGuest) == offsetof(EthernetHeader, ether_type));

 public:
  ServiceRewrite() = default;
  explicit ServiceRewrite(const SteeringService& service);

  // `packet` as parsed; a frame without a VLAN tag. In line: for each packet.
  void to_guest(uint8_t* frame, const ParsedPacket& packet) const {
    std::memcpy(frame, kToGuest.data(), sizeof(kToGuest));
    if (!mapped_) return;
    auto& ip = header_at<Ipv4Header>(frame, packet.l3_offset);
    auto& tcp = header_at<TcpHeader>(frame, packet.l4_offset);
    ip.destination = guest_ip_;
    ip.checksum = ip_to_guest_.apply(ip.checksum);
    tcp.destination_port = guest_port_;
    tcp.checksum = tcp_to_guest_.apply(tcp.checksum);
  }
  void from_guest(uint8_t* frame, const ParsedPacket& packet, const MacAddress& nic_mac,
                  const MacAddress& client_mac) const {
    auto& ethernet = header_at<EthernetHeader>(frame, 0);
    ethernet.destination = client_mac;
    ethernet.source = nic_mac;
    if (!mapped_) return;
    auto& ip = header_at<Ipv4Header>(frame, packet.l3_offset);
    auto& tcp = header_at<TcpHeader>(frame, packet.l4_offset);
    ip.source = vip_;
    ip.checksum = ip_from_guest_.apply(ip.checksum);
    tcp.source_port = vip_port_;
    tcp.checksum = tcp_from_guest_.apply(tcp.checksum);
  }

 private:
  be32 vip_;
  be16 vip_port_;
  be32 guest_ip_;
  be16 guest_port_;
  bool mapped_ = false;
  ChecksumDelta ip_to_guest_;
  ChecksumDelta tcp_to_guest_;
  ChecksumDelta ip_from_guest_;
  ChecksumDelta tcp_from_guest_;
};

}  // namespace cheshire
