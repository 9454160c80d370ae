// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Headers as they lie on the wire. Only the parser (dataplane/packet/parse.h) decides whether they are there;
// later stages trust its offsets.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "be.h"

namespace cheshire {

struct MacAddress {
  std::array<uint8_t, 6> bytes{};
  // Six bytes would be a call of memcmp.
  friend bool operator==(const MacAddress& a, const MacAddress& b) {
    uint32_t a_head, b_head;
    uint16_t a_tail, b_tail;
    std::memcpy(&a_head, a.bytes.data(), 4);
    std::memcpy(&b_head, b.bytes.data(), 4);
    std::memcpy(&a_tail, a.bytes.data() + 4, 2);
    std::memcpy(&b_tail, b.bytes.data() + 4, 2);
    return ((a_head ^ b_head) | static_cast<uint32_t>(a_tail ^ b_tail)) == 0;
  }
};

inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// All instances are identical, so that a clone or a resume needs no new address: every guest has this MAC and
// sees the data plane, whatever it asks for, under that one. Locally administered: 02, "CHESH", number.
inline constexpr MacAddress kGuestMac{{0x02, 0x43, 0x48, 0x45, 0x53, 0x01}};
inline constexpr MacAddress kGatewayMac{{0x02, 0x43, 0x48, 0x45, 0x53, 0x00}};

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;
inline constexpr uint8_t kIpProtocolIcmp = 1;
inline constexpr uint8_t kIpProtocolTcp = 6;

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  be16 ether_type;
};
static_assert(sizeof(EthernetHeader) == 14);

struct VlanTag {  // IEEE 802.1Q, after the source address
  be16 tci;
  be16 ether_type;
};
static_assert(sizeof(VlanTag) == 4);
inline constexpr uint16_t kVlanIdMask = 0x0fff;
inline constexpr uint16_t kVlanIdReserved = 0x0fff;
// No TCI: VLAN 4095 is reserved (IEEE 802.1Q), and frames that carry it are dropped.
inline constexpr uint16_t kNoVlan = 0xffff;

struct ArpHeader {  // RFC 826, for Ethernet and IPv4
  be16 hardware_type;
  be16 protocol_type;
  uint8_t hardware_size;
  uint8_t protocol_size;
  be16 operation;
  MacAddress sender_mac;
  be32 sender_ip;
  MacAddress target_mac;
  be32 target_ip;
};
static_assert(sizeof(ArpHeader) == 28);
inline constexpr uint16_t kArpOperationRequest = 1;
inline constexpr uint16_t kArpOperationReply = 2;

struct Ipv4Header {  // RFC 791
  uint8_t version_ihl;
  uint8_t dscp_ecn;
  be16 total_length;
  be16 identification;
  be16 flags_fragment;
  uint8_t ttl;
  uint8_t protocol;
  be16 checksum;
  be32 source;
  be32 destination;
};
static_assert(sizeof(Ipv4Header) == 20);
inline constexpr uint16_t kIpv4DontFragment = 0x4000;
inline constexpr uint16_t kIpv4FragmentMask = 0x3fff;  // more-fragments bit and offset

struct TcpHeader {  // RFC 9293 3.1
  be16 source_port;
  be16 destination_port;
  be32 sequence;
  be32 acknowledgment;
  uint8_t data_offset;  // high four bits, in 32-bit words
  uint8_t flags;
  be16 window;
  be16 checksum;
  be16 urgent;
};
static_assert(sizeof(TcpHeader) == 20);
inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpPsh = 0x08;
inline constexpr uint8_t kTcpAck = 0x10;

struct IcmpHeader {  // RFC 792, echo
  uint8_t type;
  uint8_t code;
  be16 checksum;
  be16 identifier;
  be16 sequence;
};
static_assert(sizeof(IcmpHeader) == 8);
inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpEchoRequest = 8;

}  // namespace cheshire
