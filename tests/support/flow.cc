// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/support/flow.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace cheshire::test {
namespace {

std::string ip_words(uint32_t ip) {
  std::string words;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (!words.empty()) words += '.';
    words += std::to_string(ip >> static_cast<unsigned>(shift) & 0xffU);
  }
  return words;
}

std::string mac_words(std::span<const uint8_t> mac) {
  std::string words;
  for (const uint8_t byte : mac.first(6)) {
    std::array<char, 4> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", byte);
    if (!words.empty()) words += ':';
    words += hex.data();
  }
  return words;
}

bool is_mac(std::span<const uint8_t> bytes, const MacAddress& mac) {
  return std::equal(mac.bytes.begin(), mac.bytes.end(), bytes.begin());
}

std::string service_words(uint32_t ip, uint16_t port, bool at_guest) {
  for (const ServiceWords* service : {&kWeb, &kApi}) {
    const Address& address = at_guest ? service->guest : service->vip;
    if (address.ip.value() == ip && address.port == port) return service->name;
  }
  return ip_words(ip) + ":" + std::to_string(port);
}

std::string client_words(uint32_t ip, uint16_t port) {
  const std::string words = std::to_string(port);
  return ip == kClientIp.value() ? words : ip_words(ip) + ":" + words;
}

std::string flag_words(uint8_t flags) {
  std::string words;
  const auto say = [&](uint8_t flag, const char* word) {
    if ((flags & flag) == 0) return;
    if (!words.empty()) words += '-';
    words += word;
  };
  say(kTcpSyn, "SYN");
  say(kTcpFin, "FIN");
  say(kTcpRst, "RST");
  say(kTcpPsh, "PSH");
  say(kTcpAck, "ACK");
  return words;
}

// What stands behind the Ethernet header and tag.
std::string tcp_words(std::span<const uint8_t> frame, size_t l3, bool at_guest) {
  const std::span<const uint8_t> tcp = frame.subspan(l3 + 20);
  const uint32_t source = read32(frame, l3 + 12);
  const uint32_t destination = read32(frame, l3 + 16);
  const uint16_t from = read16(tcp, 0);
  const uint16_t to = read16(tcp, 2);
  const uint8_t flags = tcp[13];
  std::string words = at_guest ? client_words(source, from) + ">" + service_words(destination, to, true)
                               : service_words(source, from, false) + ">" + client_words(destination, to);
  words += " " + flag_words(flags) + " seq " + std::to_string(read32(tcp, 4));
  if ((flags & kTcpAck) != 0) words += " ack " + std::to_string(read32(tcp, 8));
  const size_t total_length = read16(frame, l3 + 2);
  const size_t header_length = 20 + (tcp[12] >> 4U) * size_t{4};
  if (total_length > header_length) {
    words += " \"";
    for (size_t at = l3 + header_length; at < l3 + total_length; ++at) words += static_cast<char>(frame[at]);
    words += "\"";
  }
  if (frame.size() != l3 + total_length) words += " padded";
  if (!ipv4_checksum_is_right(frame, l3)) words += " BAD IPV4 CHECKSUM";
  if (!tcp_checksum_is_right(frame, l3)) words += " BAD TCP CHECKSUM";
  return words;
}

std::string told(std::span<const uint8_t> frame, bool at_guest) {
  if (frame.size() < 14) return "a stub of " + std::to_string(frame.size()) + " bytes";
  size_t l3 = 14;
  std::string tag;
  if (read16(frame, 12) == kEtherTypeVlan) {
    tag = " vlan " + std::to_string(read16(frame, 14));
    l3 = 18;
  }
  std::string words;
  const uint16_t ether_type = read16(frame, l3 - 2);
  if (ether_type == kEtherTypeArp) {
    words = "ARP " + std::string(read16(frame, l3 + 6) == kArpOperationReply ? "reply" : "request") + ": " +
            ip_words(read32(frame, l3 + 14)) + " is at " + mac_words(frame.subspan(l3 + 8));
  } else if (ether_type != kEtherTypeIpv4) {
    words = "EtherType " + std::to_string(ether_type);
  } else if (frame[l3 + 9] == kIpProtocolIcmp) {
    words = ip_words(read32(frame, l3 + 12)) + ">" + ip_words(read32(frame, l3 + 16)) + " " +
            (frame[l3 + 20] == kIcmpEchoReply ? "echo reply" : "other ICMP");
    if (!icmp_checksum_is_right(frame, l3)) words += " BAD ICMP CHECKSUM";
    if (!ipv4_checksum_is_right(frame, l3)) words += " BAD IPV4 CHECKSUM";
  } else {
    words = tcp_words(frame, l3, at_guest);
  }
  words += tag;
  if (!is_mac(frame, at_guest ? kGuestMac : kClientMac)) words += " to " + mac_words(frame);
  if (!is_mac(frame.subspan(6), at_guest ? kGatewayMac : kNicMac)) {
    words += " FROM " + mac_words(frame.subspan(6));
  }
  return words;
}

}  // namespace

TcpFrame Flow::from_client(uint8_t flags, uint32_t sequence, uint32_t acknowledgment,
                           std::string_view payload) const {
  return {.ethernet = {.source = client_mac, .vlan_tci = vlan_tci},
          .ip = {.source = client_ip, .destination = service.vip.ip},
          .tcp = {.source_port = port,
                  .destination_port = service.vip.port,
                  .sequence = sequence,
                  .acknowledgment = acknowledgment,
                  .flags = flags},
          .payload = text(payload)};
}

TcpFrame Flow::from_guest(uint8_t flags, uint32_t sequence, uint32_t acknowledgment,
                          std::string_view payload) const {
  return {.ethernet = {.destination = kGatewayMac, .source = kGuestMac},
          .ip = {.source = service.guest.ip, .destination = client_ip},
          .tcp = {.source_port = service.guest.port,
                  .destination_port = port,
                  .sequence = sequence,
                  .acknowledgment = acknowledgment,
                  .flags = flags},
          .payload = text(payload)};
}

std::string told_at_client(std::span<const uint8_t> frame) {
  return told(frame, false);
}

std::string told_at_guest(std::span<const uint8_t> frame) {
  return told(frame, true);
}

}  // namespace cheshire::test
