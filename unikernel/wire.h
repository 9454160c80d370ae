// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Packet headers as they lie on the wire. The byte order is in the type, every field has alignment 1, and
// nothing here checks a length: that is done once, by the parser that makes the view.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace grin {

static_assert(std::endian::native == std::endian::little, "the accessors below swap");

class Be16 {
 public:
  Be16() = default;
  explicit Be16(uint16_t value) { set(value); }
  [[nodiscard]] uint16_t get() const {
    uint16_t raw;
    std::memcpy(&raw, bytes_.data(), sizeof(raw));
    return __builtin_bswap16(raw);
  }
  void set(uint16_t value) {
    const uint16_t raw = __builtin_bswap16(value);
    std::memcpy(bytes_.data(), &raw, sizeof(raw));
  }

 private:
  std::array<uint8_t, 2> bytes_;
};

class Be32 {
 public:
  Be32() = default;
  explicit Be32(uint32_t value) { set(value); }
  [[nodiscard]] uint32_t get() const {
    uint32_t raw;
    std::memcpy(&raw, bytes_.data(), sizeof(raw));
    return __builtin_bswap32(raw);
  }
  void set(uint32_t value) {
    const uint32_t raw = __builtin_bswap32(value);
    std::memcpy(bytes_.data(), &raw, sizeof(raw));
  }

 private:
  std::array<uint8_t, 4> bytes_;
};

using MacAddress = std::array<uint8_t, 6>;
// In two loads: std::array compares byte by byte, in a call.
[[nodiscard]] inline bool same_mac(const MacAddress& left, const MacAddress& right) {
  return __builtin_memcmp(left.data(), right.data(), sizeof(MacAddress)) == 0;
}
inline constexpr MacAddress kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  Be16 ether_type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

struct ArpPacket {  // RFC 826, Ethernet and IPv4
  Be16 hardware_type;
  Be16 protocol_type;
  uint8_t hardware_size;
  uint8_t protocol_size;
  Be16 operation;
  MacAddress sender_mac;
  Be32 sender_ip;
  MacAddress target_mac;
  Be32 target_ip;
};
static_assert(sizeof(ArpPacket) == 28 && alignof(ArpPacket) == 1);

inline constexpr uint8_t kIpProtocolIcmp = 1;
inline constexpr uint8_t kIpProtocolTcp = 6;

struct Ipv4Header {  // RFC 791 3.1
  uint8_t version_and_words;
  uint8_t service;
  Be16 total_size_bytes;
  Be16 identification;
  Be16 fragment;  // bit 14: don't fragment, bit 13: more fragments, below: offset
  uint8_t time_to_live;
  uint8_t protocol;
  Be16 checksum;
  Be32 source;
  Be32 destination;
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);

struct IcmpHeader {  // RFC 792, echo
  uint8_t type;
  uint8_t code;
  Be16 checksum;
  Be16 identifier;
  Be16 sequence;
};
static_assert(sizeof(IcmpHeader) == 8 && alignof(IcmpHeader) == 1);

inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpPsh = 0x08;
inline constexpr uint8_t kTcpAck = 0x10;

struct TcpHeader {  // RFC 9293 3.1
  Be16 source_port;
  Be16 destination_port;
  Be32 sequence;
  Be32 acknowledgment;
  uint8_t data_offset;  // in 32-bit words, in the high four bits
  uint8_t flags;
  Be16 window;
  Be16 checksum;
  Be16 urgent;
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

}  // namespace grin
