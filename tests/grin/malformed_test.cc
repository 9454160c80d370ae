// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Frames that no honest peer sends. Each lies in memory of exactly its size, so that the address sanitizer
// sees a read behind its end. The stack must drop them, count them, and go on working.

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>

#include "guest.h"

namespace cheshire::grin::test {
namespace {

constexpr size_t kIpAt = sizeof(EthernetHeader);
constexpr size_t kTcpAt = kIpAt + sizeof(Ipv4Header);

struct Case {
  const char* name;
  std::function<void(Frame&)> damage;  // of a SYN with the segment size option
  bool repair;                         // checksums are right again
};

void set(Frame& frame, size_t at, unsigned value) {
  frame[at] = static_cast<std::byte>(value);
}

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"empty", [](Frame& f) { f.clear(); }, false},
      {"half an Ethernet header", [](Frame& f) { f.resize(7); }, false},
      {"only an Ethernet header", [](Frame& f) { f.resize(14); }, false},
      {"for another station", [](Frame& f) { set(f, 5, 9); }, false},
      {"broadcast IPv4", [](Frame& f) { std::fill(f.begin(), f.begin() + 6, std::byte{0xff}); }, false},
      {"unknown ether type", [](Frame& f) { set(f, 12, 0x86); }, false},
      {"half an IP header", [](Frame& f) { f.resize(kIpAt + 10); }, false},
      {"IP version 6", [](Frame& f) { set(f, kIpAt, 0x65); }, true},
      {"IP header of 4 words", [](Frame& f) { set(f, kIpAt, 0x44); }, true},
      {"IP header longer than the packet", [](Frame& f) { set(f, kIpAt, 0x4f); }, true},
      {"IP length below its header", [](Frame& f) { set(f, kIpAt + 3, 19); }, true},
      {"IP length beyond the frame", [](Frame& f) { set(f, kIpAt + 2, 1); }, true},
      {"IP length cuts the TCP header", [](Frame& f) { set(f, kIpAt + 3, 39); }, true},
      {"IP checksum", [](Frame& f) { set(f, kIpAt + 10, 0x12); }, false},
      {"more fragments", [](Frame& f) { set(f, kIpAt + 6, 0x20); }, true},
      {"fragment offset", [](Frame& f) { set(f, kIpAt + 7, 1); }, true},
      {"UDP", [](Frame& f) { set(f, kIpAt + 9, 17); }, true},
      {"for another address", [](Frame& f) { set(f, kIpAt + 19, 3); }, true},
      {"from multicast", [](Frame& f) { set(f, kIpAt + 12, 224); }, true},
      {"from broadcast", [](Frame& f) { set(f, kIpAt + 12, 255); }, true},
      {"from nowhere", [](Frame& f) { set(f, kIpAt + 12, 0); }, true},
      {"from loopback", [](Frame& f) { set(f, kIpAt + 12, 127); }, true},
      {"TCP checksum", [](Frame& f) { set(f, kTcpAt + 16, 0x12); }, false},
      {"TCP header of 4 words", [](Frame& f) { set(f, kTcpAt + 12, 0x40); }, true},
      {"TCP header longer than the segment", [](Frame& f) { set(f, kTcpAt + 12, 0xf0); }, true},
  };
  return kCases;
}

Frame syn(uint16_t port = 40000) {
  return to_guest({.port = port, .sequence = 1, .flags = kTcpSyn, .max_segment = 1460});
}

TEST(Malformed, each_is_dropped_and_counted_without_an_answer) {
  Guest guest({});
  for (const Case& c : cases()) {
    Frame frame = syn();
    c.damage(frame);
    if (c.repair) fix_checksums(frame);
    const uint64_t before = guest.counters.bad_frames;
    guest.receive(frame);
    EXPECT_EQ(guest.counters.bad_frames, before + 1) << c.name;
    EXPECT_TRUE(guest.port.sent.empty()) << c.name;
  }
  EXPECT_EQ(guest.tcp.open_count(), 0U);
  guest.receive(syn());
  EXPECT_EQ(guest.port.sent.size(), 1U);
}

struct OptionCase {
  const char* name;
  std::string bytes;  // four of them
  uint16_t max_segment;
};

TEST(Malformed, options_end_the_reading_and_not_the_segment) {
  const std::vector<OptionCase> option_cases = {
      {"right", std::string("\x02\x04\x05\xb4", 4), 1460},
      {"length zero", std::string("\x02\x00\x05\xb4", 4), 536},
      {"length one", std::string("\x08\x01\x05\xb4", 4), 536},
      {"beyond the end", std::string("\x02\x05\x05\xb4", 4), 536},
      {"kind at the end", std::string("\x01\x01\x01\x02", 4), 536},
      {"end of list", std::string("\x00\x04\x05\xb4", 4), 536},
      {"segment size zero", std::string("\x02\x04\x00\x00", 4), 536},
      {"segment size one", std::string("\x02\x04\x00\x01", 4), 64},
      {"segment size huge", std::string("\x02\x04\xff\xff", 4), 1460},
  };
  uint16_t port = 1;
  for (const OptionCase& c : option_cases) {
    Guest guest({.body_size_bytes = 10'000});
    Frame frame = syn(++port);
    for (size_t i = 0; i < 4; ++i) frame[kTcpFrameHeaderBytes + i] = static_cast<std::byte>(c.bytes[i]);
    fix_checksums(frame);
    guest.receive(frame);
    ASSERT_EQ(guest.port.sent.size(), 1U) << c.name;
    const TestSegment answer = from_guest(guest.port.sent.front());
    guest.port.sent.clear();
    guest.receive(to_guest({.port = port,
                            .sequence = 2,
                            .acknowledgment = answer.sequence + 1,
                            .flags = kTcpAck,
                            .payload = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}));
    ASSERT_FALSE(guest.port.sent.empty()) << c.name;
    EXPECT_EQ(from_guest(guest.port.sent.front()).payload.size(), c.max_segment) << c.name;
  }
}

// RFC 9293 3.10.7: no combination of flags may open a connection but SYN alone.
TEST(Malformed, only_a_plain_syn_opens_a_connection) {
  for (unsigned flags = 0; flags < 64; ++flags) {
    Guest guest({});
    guest.receive(to_guest({.sequence = 1, .flags = static_cast<uint8_t>(flags)}));
    const unsigned relevant = flags & (kTcpSyn | kTcpAck | kTcpFin | kTcpRst);
    EXPECT_EQ(guest.tcp.open_count(), relevant == kTcpSyn ? 1U : 0U) << "flags " << flags;
  }
}

Frame arp_request(uint32_t target) {
  Frame frame(60);
  const std::span<std::byte> bytes(frame);
  auto& ethernet = header_at<EthernetHeader>(bytes, 0);
  ethernet.destination = kBroadcastMac;
  ethernet.source = kClientMac;
  ethernet.ether_type = be16(kEtherTypeArp);
  auto& arp = header_at<ArpHeader>(bytes, kIpAt);
  arp.hardware_type = be16(1);
  arp.protocol_type = be16(kEtherTypeIpv4);
  arp.hardware_size = 6;
  arp.protocol_size = 4;
  arp.operation = be16(1);
  arp.sender_mac = kClientMac;
  arp.sender_ip = be32(kClientIp);
  arp.target_ip = be32(target);
  return frame;
}

TEST(Arp, requests_for_our_address_are_answered_and_others_are_not) {
  Guest guest({});
  guest.receive(arp_request(kGuestIp + 1));
  EXPECT_TRUE(guest.port.sent.empty());
  guest.receive(arp_request(kGuestIp));
  ASSERT_EQ(guest.port.sent.size(), 1U);
  const std::span<const std::byte> reply(guest.port.sent.front());
  ASSERT_EQ(reply.size(), sizeof(EthernetHeader) + sizeof(ArpHeader));
  EXPECT_EQ(header_at<EthernetHeader>(reply, 0).destination, kClientMac);
  const auto& arp = header_at<ArpHeader>(reply, kIpAt);
  EXPECT_EQ(arp.operation.value(), 2);
  EXPECT_EQ(arp.sender_mac, kGuestMac);
  EXPECT_EQ(arp.sender_ip.value(), kGuestIp);
  EXPECT_EQ(arp.target_ip.value(), kClientIp);
  Frame cut = arp_request(kGuestIp);
  cut.resize(kIpAt + sizeof(ArpHeader) - 1);
  guest.receive(cut);
  EXPECT_EQ(guest.counters.bad_frames, 1U);
}

// Any bytes of a live conversation may be replaced: checksums are repaired, so that the damage gets in deep.
TEST(Malformed, random_damage_never_breaks_the_stack) {
  std::mt19937_64 random(7);
  Guest guest({.capacity = 8, .body_size_bytes = 5000, .service_us = 100, .worker_count = 2});
  const std::string request = "GET /stats HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  for (int round = 0; round < 20'000; ++round) {
    TestSegment segment = {.port = static_cast<uint16_t>(1 + random() % 12),
                           .sequence = static_cast<uint32_t>(random() % 200),
                           .flags = static_cast<uint8_t>(random() % 64),
                           .window = static_cast<uint16_t>(random())};
    if (random() % 2 == 0) segment.payload = request.substr(random() % request.size());
    // Mostly numbers that the guest has used itself, so that segments are accepted.
    if (!guest.port.sent.empty() && random() % 4 != 0) {
      const Frame& last = guest.port.sent.back();
      if (last.size() >= kTcpFrameHeaderBytes) {
        const TestSegment seen = from_guest(last);
        segment.port = seen.port;
        segment.sequence = seen.acknowledgment + static_cast<uint32_t>(random() % 3 == 0 ? random() % 50 : 0);
        segment.acknowledgment = seen.sequence + static_cast<uint32_t>(seen.payload.size()) + 1;
        segment.flags = static_cast<uint8_t>(kTcpAck | (random() % 8 == 0 ? random() % 64 : 0));
      }
    }
    Frame frame = to_guest(segment);
    for (uint64_t i = random() % 4; i != 0; --i) {
      frame[kIpAt + random() % (frame.size() - kIpAt)] = static_cast<std::byte>(random());
    }
    if (random() % 8 == 0) frame.resize(random() % frame.size());
    if (random() % 16 != 0 && frame.size() > kTcpAt) fix_checksums(frame);
    if (guest.port.sent.size() > 4) guest.port.sent.clear();
    guest.receive(frame);
    guest.advance(random() % 4 == 0 ? random() % 2'000'000 : random() % 100);
    ASSERT_LE(guest.tcp.open_count() + guest.tcp.time_wait_count(), 8U);
  }
  // Everything ends by itself.
  for (int i = 0; i < 600; ++i) guest.advance(1'000'000);
  EXPECT_EQ(guest.tcp.open_count() + guest.tcp.time_wait_count(), 0U);
  EXPECT_EQ(guest.http.work().running_count() + guest.http.work().waiting_count(), 0U);
}

}  // namespace
}  // namespace cheshire::grin::test
