// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/answer.h"

#include <gtest/gtest.h>

#include "tests/support/exact_buffer.h"
#include "tests/support/frame_builder.h"
#include "tests/support/printing.h"
#include "tests/support/sentence.h"

namespace cheshire {
namespace {

using namespace test;

constexpr EthernetFields kBackToClient{.destination = kClientMac, .source = kNicMac};

EthernetFields back_to_client(std::optional<uint16_t> vlan_tci) {
  return {.destination = kClientMac, .source = kNicMac, .vlan_tci = vlan_tci};
}

template <typename Frame>
Bytes arp_reply(const Frame& request) {
  ExactBuffer buffer(build(request));
  const ParsedPacket packet = parse_frame(buffer.span());
  EXPECT_EQ(packet.kind, PacketKind::kArp);
  make_arp_reply(buffer.data(), packet, kNicMac);
  return buffer.bytes();
}

TEST(ArpReply, SaysThatTheAddressAskedForIsHere) {
  const Bytes expected = build(ArpFrame{.ethernet = kBackToClient,
                                        .operation = kArpOperationReply,
                                        .sender_mac = kNicMac,
                                        .sender_ip = kVip,
                                        .target_mac = kClientMac,
                                        .target_ip = kClientIp});
  EXPECT_EQ(arp_reply(ArpFrame{}), expected);
}

TEST(ArpReply, KeepsTheTagAndThePadding) {
  const Bytes expected = build(ArpFrame{.ethernet = back_to_client(7),
                                        .operation = kArpOperationReply,
                                        .sender_mac = kNicMac,
                                        .sender_ip = kVip,
                                        .target_mac = kClientMac,
                                        .target_ip = kClientIp,
                                        .padding = 14});
  const ArpFrame request{.ethernet = {.destination = kBroadcastMac, .vlan_tci = uint16_t{7}}, .padding = 14};
  EXPECT_EQ(arp_reply(request), expected);
}

TEST(ArpReply, OverwritesWhateverTheRequestHadAsTargetMac) {
  const Bytes reply = arp_reply(ArpFrame{.target_mac = kBroadcastMac});
  EXPECT_EQ(reply, arp_reply(ArpFrame{}));
}

Bytes echo_reply(const IcmpFrame& request) {
  ExactBuffer buffer(build(request));
  const ParsedPacket packet = parse_frame(buffer.span());
  EXPECT_EQ(packet.kind, PacketKind::kIcmpEcho);
  make_echo_reply(buffer.data(), packet, kNicMac);
  return buffer.bytes();
}

TEST(EchoReply, IsTheRequestTurnedRound) {
  const Bytes expected = build(IcmpFrame{.ethernet = kBackToClient,
                                         .ip = {.source = kVip, .destination = kClientIp},
                                         .icmp = {.type = kIcmpEchoReply}});
  EXPECT_EQ(echo_reply(IcmpFrame{}), expected);
}

TEST(EchoReply, KeepsTagIdentifierSequenceAndOddPayload) {
  const Bytes expected =
      build(IcmpFrame{.ethernet = back_to_client(100),
                      .ip = {.source = kVip, .destination = kClientIp},
                      .icmp = {.type = kIcmpEchoReply, .identifier = 0xabcd, .sequence = 0xffff},
                      .payload = text("odd")});
  EXPECT_EQ(echo_reply(IcmpFrame{.ethernet = {.vlan_tci = uint16_t{100}},
                                 .icmp = {.identifier = 0xabcd, .sequence = 0xffff},
                                 .payload = text("odd")}),
            expected);
}

// RFC 1122 3.2.1.7: a datagram of our own starts with our time to live, and never with zero.
TEST(EchoReply, HasATimeToLiveOfItsOwn) {
  for (const uint8_t ttl : {uint8_t{0}, uint8_t{1}, uint8_t{63}, uint8_t{64}, uint8_t{255}}) {
    const Bytes reply = echo_reply(IcmpFrame{.ip = {.ttl = ttl}});
    EXPECT_EQ(reply[14 + 8], 64) << int{ttl};
    EXPECT_TRUE(ipv4_checksum_is_right(reply)) << int{ttl};
  }
}

// All zero is among them: there a sum by difference gives 0 where it must be 0xffff (RFC 1624 section 3).
TEST(EchoReply, HasARightChecksumForEveryIdentifier) {
  for (uint32_t identifier = 0; identifier < 65536; identifier += 251) {
    for (const uint16_t sequence : {uint16_t{0}, uint16_t{1}, uint16_t{0xf7ff}, uint16_t{0xffff}}) {
      const Bytes reply = echo_reply(IcmpFrame{
          .icmp = {.identifier = static_cast<uint16_t>(identifier), .sequence = sequence}, .payload = {}});
      ASSERT_TRUE(icmp_checksum_is_right(reply)) << identifier << " " << sequence;
      ASSERT_TRUE(ipv4_checksum_is_right(reply));
    }
  }
}

// RFC 9293 3.10.7.1, CLOSED state: "If the ACK bit is off, sequence number zero is used … if the ACK bit is
// on, <SEQ=SEG.ACK><CTL=RST>".
struct ResetRow {
  const char* sentence;
  TcpFields segment;
  const char* payload;
  uint32_t sequence;
  uint32_t acknowledgment;
  uint8_t flags;
};

void PrintTo(const ResetRow& row, std::ostream* out) {
  *out << row.sentence;
}

class ResetReply : public testing::TestWithParam<ResetRow> {};

TcpFrame expected_reset(const ResetRow& row) {
  return {.ip = {.identification = 0, .source = kVip, .destination = kClientIp},
          .tcp = {.source_port = kVipPort,
                  .destination_port = kClientPort,
                  .sequence = row.sequence,
                  .acknowledgment = row.acknowledgment,
                  .flags = row.flags,
                  .window = 0}};
}

TEST_P(ResetReply, HasTheNumbersThatTheSenderAccepts) {
  for (const std::optional<uint16_t>& vlan_tci : {std::optional<uint16_t>{}, std::optional<uint16_t>{7}}) {
    const TcpFrame segment{.ethernet = {.vlan_tci = vlan_tci},
                           .ip = {.dscp_ecn = 0xb9, .ttl = 3},
                           .tcp = GetParam().segment,
                           .payload = text(GetParam().payload),
                           .padding = 3};
    ExactBuffer buffer(build(segment));
    const ParsedPacket packet = parse_frame(buffer.span());
    ASSERT_EQ(packet.kind, PacketKind::kTcp);
    const uint16_t length = make_reset_reply(buffer.data(), packet);

    TcpFrame expected = expected_reset(GetParam());
    expected.ethernet = back_to_client(vlan_tci);
    ASSERT_LE(length, buffer.span().size());
    const auto reset = buffer.span().first(length);
    EXPECT_EQ(Bytes(reset.begin(), reset.end()), build(expected));
    EXPECT_EQ(parse_frame(reset).kind, PacketKind::kTcp);
  }
}

constexpr uint8_t kRstAck = kTcpRst | kTcpAck;
const std::vector<ResetRow> kResetRows = {
    {"a SYN is acknowledged", {.sequence = 1000, .flags = kTcpSyn}, "", 0, 1001, kRstAck},
    {"a SYN with options",
     {.sequence = 1000, .flags = kTcpSyn, .options = Bytes(20, 1)},
     "",
     0,
     1001,
     kRstAck},
    {"a SYN with data", {.sequence = 1000, .flags = kTcpSyn}, "hello", 0, 1006, kRstAck},
    {"a SYN at the end of sequence space", {.sequence = 0xffffffff, .flags = kTcpSyn}, "", 0, 0, kRstAck},
    {"a FIN without ACK", {.sequence = 1000, .flags = kTcpFin}, "", 0, 1001, kRstAck},
    {"a FIN without ACK with data", {.sequence = 1000, .flags = kTcpFin}, "bye", 0, 1004, kRstAck},
    {"data without ACK does not exist but a FIN across the wrap does",
     {.sequence = 0xfffffffe, .flags = kTcpFin},
     "abc",
     0,
     2,
     kRstAck},
    {"an ACK gives its number",
     {.sequence = 1000, .acknowledgment = 777, .flags = kTcpAck},
     "",
     777,
     0,
     kTcpRst},
    {"data with ACK",
     {.sequence = 1000, .acknowledgment = 777, .flags = kTcpAck | kTcpPsh},
     "GET / HTTP/1.1",
     777,
     0,
     kTcpRst},
    {"a SYN ACK", {.acknowledgment = 777, .flags = kTcpSyn | kTcpAck}, "", 777, 0, kTcpRst},
    {"a FIN ACK", {.acknowledgment = 777, .flags = kTcpFin | kTcpAck}, "", 777, 0, kTcpRst},
    {"an ACK of zero", {.acknowledgment = 0, .flags = kTcpAck}, "", 0, 0, kTcpRst},
    {"an ACK of the last number",
     {.acknowledgment = 0xffffffff, .flags = kTcpAck},
     "",
     0xffffffff,
     0,
     kTcpRst},
    {"an ACK with urgent data and the longest header",
     {.acknowledgment = 777, .flags = kTcpAck | 0x20, .urgent = 9, .options = Bytes(40, 1)},
     "x",
     777,
     0,
     kTcpRst},
};
INSTANTIATE_TEST_SUITE_P(To, ResetReply, testing::ValuesIn(kResetRows), kSentenceAsName);

TEST(ResetReplyDeathTest, IsNeverMadeForAReset) {
  ExactBuffer buffer(build(TcpFrame{.tcp = {.flags = kTcpRst | kTcpAck}}));
  const ParsedPacket packet = parse_frame(buffer.span());
  EXPECT_DEATH((void)make_reset_reply(buffer.data(), packet), "CHECK");
}

TEST(ResetToClient, IsTheSegmentThatTheServiceWouldSend) {
  for (const std::optional<uint16_t>& vlan_tci :
       {std::optional<uint16_t>{}, std::optional<uint16_t>{0}, std::optional<uint16_t>{0xe007}}) {
    const ResetToClient reset{.nic_mac = kNicMac,
                              .client_mac = kClientMac,
                              .vlan_tci = vlan_tci.value_or(kNoVlan),
                              .vip = kVip,
                              .vip_port = be16(kVipPort),
                              .client_ip = kClientIp,
                              .client_port = be16(kClientPort),
                              .sequence = 0xdeadbeef};
    const Bytes expected =
        build(TcpFrame{.ethernet = back_to_client(vlan_tci),
                       .ip = {.identification = 0, .source = kVip, .destination = kClientIp},
                       .tcp = {.source_port = kVipPort,
                               .destination_port = kClientPort,
                               .sequence = 0xdeadbeef,
                               .flags = kTcpRst,
                               .window = 0}});
    ASSERT_LE(expected.size(), size_t{kResetLengthMax});
    ExactBuffer buffer(Bytes(expected.size(), 0xa5));  // old bytes must not show through
    EXPECT_EQ(write_reset(buffer.data(), reset), expected.size());
    EXPECT_EQ(buffer.bytes(), expected);
    EXPECT_EQ(parse_frame(buffer.span()).kind, PacketKind::kTcp);
  }
}

}  // namespace
}  // namespace cheshire
