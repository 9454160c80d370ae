// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Packet headers as they lie on the wire, with the names of include/net.h. The byte order is in the type,
// every field has alignment 1, and nothing here checks a length: that is done once, by the parser that
// makes the view.
//
// Not the very types of include/: with those a SYN takes 17 instructions more to its answer
// (build/bench/guest_steps), since they can be constants and copy their bytes for it. No state; grin's one
// thread, and its tests on the host.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace cheshire::grin {

static_assert(std::endian::native == std::endian::little, "the accessors below swap");

class be16 {
 public:
  be16() = default;
  explicit be16(uint16_t host) {
    const uint16_t raw = __builtin_bswap16(host);
    std::memcpy(bytes_.data(), &raw, sizeof(raw));
  }
  [[nodiscard]] uint16_t value() const {
    uint16_t raw;
    std::memcpy(&raw, bytes_.data(), sizeof(raw));
    return __builtin_bswap16(raw);
  }

 private:
  std::array<uint8_t, 2> bytes_;
};

class be32 {
 public:
  be32() = default;
  explicit be32(uint32_t host) {
    const uint32_t raw = __builtin_bswap32(host);
    std::memcpy(bytes_.data(), &raw, sizeof(raw));
  }
  [[nodiscard]] uint32_t value() const {
    uint32_t raw;
    std::memcpy(&raw, bytes_.data(), sizeof(raw));
    return __builtin_bswap32(raw);
  }

 private:
  std::array<uint8_t, 4> bytes_;
};

struct MacAddress {
  std::array<uint8_t, 6> bytes;
  // In two loads: std::array compares byte by byte, in a call.
  friend bool operator==(const MacAddress& a, const MacAddress& b) {
    return __builtin_memcmp(a.bytes.data(), b.bytes.data(), sizeof(a.bytes)) == 0;
  }
};
inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  be16 ether_type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

struct ArpHeader {  // RFC 826, Ethernet and IPv4
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
static_assert(sizeof(ArpHeader) == 28 && alignof(ArpHeader) == 1);
inline constexpr uint16_t kArpOperationRequest = 1;
inline constexpr uint16_t kArpOperationReply = 2;

inline constexpr uint8_t kIpProtocolIcmp = 1;
inline constexpr uint8_t kIpProtocolTcp = 6;

struct Ipv4Header {  // RFC 791 3.1
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
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);
inline constexpr uint16_t kIpv4DontFragment = 0x4000;
inline constexpr uint16_t kIpv4FragmentMask = 0x3fff;  // more-fragments bit and offset

struct IcmpHeader {  // RFC 792, echo
  uint8_t type;
  uint8_t code;
  be16 checksum;
  be16 identifier;
  be16 sequence;
};
static_assert(sizeof(IcmpHeader) == 8 && alignof(IcmpHeader) == 1);
inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpEchoRequest = 8;

inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpPsh = 0x08;
inline constexpr uint8_t kTcpAck = 0x10;

struct TcpHeader {  // RFC 9293 3.1
  be16 source_port;
  be16 destination_port;
  be32 sequence;
  be32 acknowledgment;
  uint8_t data_offset;  // in 32-bit words, in the high four bits
  uint8_t flags;
  be16 window;
  be16 checksum;
  be16 urgent;
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);

inline constexpr size_t kTcpFrameHeaderBytes =
    sizeof(EthernetHeader) + sizeof(Ipv4Header) + sizeof(TcpHeader);

// Views of the header that starts at the given byte. The caller has checked that it fits.
template <typename Header>
[[nodiscard]] Header& header_at(std::span<std::byte> bytes, size_t offset_bytes) {
  return *reinterpret_cast<Header*>(bytes.data() + offset_bytes);
}
template <typename Header>
[[nodiscard]] const Header& header_at(std::span<const std::byte> bytes, size_t offset_bytes) {
  return *reinterpret_cast<const Header*>(bytes.data() + offset_bytes);
}

}  // namespace cheshire::grin
