// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/segment.h"

#include <algorithm>
#include <cstdio>

#include "check.h"

namespace cheshire::sim {
namespace {

using test::read16;
using test::read32;

MacAddress mac_at(std::span<const uint8_t> frame, size_t offset) {
  MacAddress mac;
  std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(offset), mac.bytes.size(), mac.bytes.begin());
  return mac;
}

std::string padded(std::string text, size_t length) {
  CHECK(text.size() + 4 <= length);
  text.resize(length - 4, ' ');
  return text + "\r\n\r\n";
}

}  // namespace

std::string request_text(uint32_t serial, uint32_t number) {
  return padded("GET /" + std::to_string(serial) + "/" + std::to_string(number) + " HTTP/1.1", kRequestBytes);
}

std::string answer_text(uint32_t serial, uint32_t number) {
  return padded("200 " + std::to_string(serial) + "/" + std::to_string(number), kAnswerBytes);
}

std::optional<Segment> read_segment(std::span<const uint8_t> frame) {
  if (frame.size() < 14 + 20 + 20) return {};
  Segment segment{.to_mac = mac_at(frame, 0), .from_mac = mac_at(frame, 6)};
  size_t l3 = 14;
  if (read16(frame, 12) == kEtherTypeVlan) {
    segment.vlan_tci = read16(frame, 14);
    l3 = 18;
  }
  if (frame.size() < l3 + 40 || read16(frame, l3 - 2) != kEtherTypeIpv4) return {};
  const size_t total = read16(frame, l3 + 2);
  const size_t header = (frame[l3 + 32] >> 4U) * size_t{4};
  if (frame[l3] != 0x45 || frame[l3 + 9] != kIpProtocolTcp || total < 20 + header || header < 20 ||
      frame.size() < l3 + total) {
    return {};
  }
  segment.source_ip = read32(frame, l3 + 12);
  segment.destination_ip = read32(frame, l3 + 16);
  segment.source_port = read16(frame, l3 + 20);
  segment.destination_port = read16(frame, l3 + 22);
  segment.sequence = read32(frame, l3 + 24);
  segment.acknowledgment = read32(frame, l3 + 28);
  segment.flags = frame[l3 + 33];
  segment.payload = {reinterpret_cast<const char*>(frame.data()) + l3 + 20 + header, total - 20 - header};
  segment.sums_are_right = test::ipv4_checksum_is_right(frame, l3) && test::tcp_checksum_is_right(frame, l3);
  return segment;
}

std::string told(const Segment& segment) {
  char text[160];
  std::snprintf(text, sizeof(text), "%08x:%u > %08x:%u flags %02x seq %u ack %u, %zu bytes",
                segment.source_ip, segment.source_port, segment.destination_ip, segment.destination_port,
                segment.flags, segment.sequence, segment.acknowledgment, segment.payload.size());
  return text;
}

}  // namespace cheshire::sim
