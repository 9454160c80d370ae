// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Packets that the data plane makes itself: ARP and echo replies, and resets. Pure functions on frames that
// parse_frame() accepted; most turn the frame that asked into its answer, so that nothing is allocated.
#pragma once

#include <cstdint>

#include "dataplane/packet/parse.h"
#include "net.h"

namespace cheshire {

// The frame becomes the reply to itself: `mac` has the address that was asked for. A VLAN tag stays.
void make_arp_reply(uint8_t* frame, const ParsedPacket& packet, const MacAddress& mac);
void make_echo_reply(uint8_t* frame, const ParsedPacket& packet, const MacAddress& mac);

// The segment becomes the reset that answers it (RFC 9293 3.10.7.1): with the ACK's number if it had one,
// else with an ACK of all that it carried. Never for a segment that is itself a reset. Returns the new
// length.
[[nodiscard]] uint16_t make_reset_reply(uint8_t* frame, const ParsedPacket& packet);

// A reset of our own, in the name of a service, to the client of a flow whose instance is gone.
struct ResetToClient {
  MacAddress nic_mac;
  MacAddress client_mac;
  uint16_t vlan_tci = kNoVlan;
  be32 vip;
  be16 vip_port;
  be32 client_ip;
  be16 client_port;
  uint32_t sequence = 0;  // what the client expects next: anything else only draws a challenge ACK (RFC 5961)
};
inline constexpr uint16_t kResetLengthMax =
    sizeof(EthernetHeader) + sizeof(VlanTag) + sizeof(Ipv4Header) + sizeof(TcpHeader);
// Writes at most kResetLengthMax bytes, returns how many.
[[nodiscard]] uint16_t write_reset(uint8_t* frame, const ResetToClient& reset);

// A SYN of our own to a guest, from `gateway_ip`, an address that nobody has, to see whether its application
// listens. Writes kProbeLength bytes.
inline constexpr uint16_t kProbeLength = sizeof(EthernetHeader) + sizeof(Ipv4Header) + sizeof(TcpHeader);
void write_probe(uint8_t* frame, be32 gateway_ip, be32 guest_ip, be16 guest_port, uint32_t sequence);

}  // namespace cheshire
