// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One client connection from the test's point of view: makes the segments of both ends, each as it looks on
// its own side of the data plane, and tells frames as words.
//
//   Flow flow;                                  // client port 40000, service "web", client ISN 1000, guest
//   ISN 5000 client.sends(flow.syn()); EXPECT_THAT(guest(0).got(), ElementsAre("40000>web SYN seq 1000"));
//   guest(0).sends(flow.syn_ack());
//   EXPECT_THAT(client.got(), ElementsAre("web>40000 SYN-ACK seq 5000 ack 1001"));
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ids.h"
#include "tests/support/frame_builder.h"

namespace cheshire::test {

// Where a service of the test listens, and its guest.
struct Address {
  be32 ip;
  uint16_t port = 0;
};
struct ServiceWords {
  const char* name;
  ServiceIndex index;
  Address vip;
  Address guest;
};
inline const ServiceWords kWeb{"web", {0}, {kVip, kVipPort}, {kGuestIp, kGuestPort}};          // mapped
inline const ServiceWords kApi{"api", {1}, {be32(0xc000020b), 443}, {be32(0xc000020b), 443}};  // not mapped

struct Flow {
  uint16_t port = kClientPort;
  const ServiceWords& service = kWeb;
  uint32_t isn = 1000;
  uint32_t guest_isn = 5000;
  std::optional<uint16_t> vlan_tci = {};
  MacAddress client_mac = kClientMac;
  be32 client_ip = kClientIp;

  // as the client sends them
  [[nodiscard]] TcpFrame from_client(uint8_t flags, uint32_t sequence, uint32_t acknowledgment,
                                     std::string_view payload = {}) const;
  [[nodiscard]] TcpFrame syn() const { return from_client(kTcpSyn, isn, 0); }
  [[nodiscard]] TcpFrame ack() const { return from_client(kTcpAck, isn + 1, guest_isn + 1); }
  [[nodiscard]] TcpFrame data(std::string_view payload) const {
    return from_client(kTcpPsh | kTcpAck, isn + 1, guest_isn + 1, payload);
  }
  [[nodiscard]] TcpFrame rst() const { return from_client(kTcpRst, isn + 1, 0); }
  // as the guest sends them
  [[nodiscard]] TcpFrame from_guest(uint8_t flags, uint32_t sequence, uint32_t acknowledgment,
                                    std::string_view payload = {}) const;
  [[nodiscard]] TcpFrame syn_ack() const { return from_guest(kTcpSyn | kTcpAck, guest_isn, isn + 1); }
  [[nodiscard]] TcpFrame reply(std::string_view payload) const {
    return from_guest(kTcpPsh | kTcpAck, guest_isn + 1, isn + 1, payload);
  }
  [[nodiscard]] TcpFrame refusal() const { return from_guest(kTcpRst | kTcpAck, 0, isn + 1); }
};

// "web>40000 SYN-ACK seq 5000 ack 1001 "payload" vlan 7", and all that is not as it should be: addresses,
// MACs, checksums, padding.
[[nodiscard]] std::string told_at_client(std::span<const uint8_t> frame);
// "40000>web SYN seq 1000", likewise
[[nodiscard]] std::string told_at_guest(std::span<const uint8_t> frame);

}  // namespace cheshire::test
