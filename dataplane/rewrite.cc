// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/rewrite.h"

namespace cheshire {

ServiceRewrite::ServiceRewrite(const SteeringService& service)
    : vip_(service.vip),
      vip_port_(service.port),
      guest_ip_(service.guest_ip),
      guest_port_(service.guest_port),
      mapped_(!(vip_ == guest_ip_ && vip_port_ == guest_port_)) {
  ip_to_guest_.replace(vip_, guest_ip_);
  tcp_to_guest_.replace(vip_, guest_ip_).replace(vip_port_, guest_port_);
  ip_from_guest_.replace(guest_ip_, vip_);
  tcp_from_guest_.replace(guest_ip_, vip_).replace(guest_port_, vip_port_);
}

void ServiceRewrite::from_guest(uint8_t* frame, const ParsedPacket& packet, const MacAddress& nic_mac,
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

}  // namespace cheshire
