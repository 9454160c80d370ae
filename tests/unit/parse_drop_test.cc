// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Every kind of malformed frame, with the one reason for which it is dropped.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "dataplane/packet/parse.h"
#include "tests/support/exact_buffer.h"
#include "tests/support/frame_builder.h"
#include "tests/support/printing.h"
#include "tests/support/sentence.h"

namespace cheshire {
namespace {

using namespace test;

struct MalformedFrame {
  const char* sentence;
  Bytes frame;
  DropReason reason;
};

void PrintTo(const MalformedFrame& row, std::ostream* out) {
  *out << row.sentence;
}

class Malformed : public testing::TestWithParam<MalformedFrame> {};

TEST_P(Malformed, IsDroppedForItsReason) {
  const ExactBuffer frame(GetParam().frame);
  const ParsedPacket packet = parse_frame(frame.span());
  ASSERT_EQ(packet.kind, PacketKind::kDrop);
  EXPECT_EQ(packet.reason, GetParam().reason);
}

Bytes cut(Bytes frame, size_t length) {
  frame.resize(length);
  return frame;
}

EthernetFields tagged(uint16_t tci) {
  return {.vlan_tci = tci};
}

Ipv4Fields from(uint32_t address) {
  return {.source = be32(address)};
}

TcpFrame with_flags(uint8_t flags) {
  return {.tcp = {.flags = flags}};
}

using enum DropReason;

const std::vector<MalformedFrame> kEthernetRows = {
    {"an empty frame", {}, k_truncated_ethernet},
    {"thirteen bytes", cut(build(TcpFrame{}), 13), k_truncated_ethernet},
    {"a tag cut after two bytes", cut(build(TcpFrame{.ethernet = tagged(7)}), 16), k_truncated_ethernet},
    {"a tag without its EtherType", cut(build(TcpFrame{.ethernet = tagged(7)}), 17), k_truncated_ethernet},
    {"two tags", build(TcpFrame{.ethernet = {.vlan_tci = uint16_t{7}, .second_vlan_tci = uint16_t{8}}}),
     k_stacked_vlan},
    {"a tag with the reserved VLAN 4095", build(TcpFrame{.ethernet = tagged(0x0fff)}), k_reserved_vlan},
    {"a tag of all ones", build(TcpFrame{.ethernet = tagged(0xffff)}), k_reserved_vlan},
    {"an ARP request tagged with all ones", build(ArpFrame{.ethernet = tagged(0xffff)}), k_reserved_vlan},
    {"IPv6", build(TcpFrame{.ethernet = {.ether_type = uint16_t{0x86dd}}}), k_not_ipv4},
    {"tagged IPv6", build(TcpFrame{.ethernet = {.vlan_tci = uint16_t{7}, .ether_type = uint16_t{0x86dd}}}),
     k_not_ipv4},
    {"an 802 3 length field", build(TcpFrame{.ethernet = {.ether_type = uint16_t{0x0100}}}), k_not_ipv4},
    {"a provider tag", build(TcpFrame{.ethernet = {.ether_type = uint16_t{0x88a8}}}), k_not_ipv4},
};
INSTANTIATE_TEST_SUITE_P(Ethernet, Malformed, testing::ValuesIn(kEthernetRows), kSentenceAsName);

const std::vector<MalformedFrame> kArpRows = {
    {"cut before the last byte", cut(build(ArpFrame{}), 41), k_bad_arp},
    {"an Ethernet header alone", cut(build(ArpFrame{}), 14), k_bad_arp},
    {"not for Ethernet", build(ArpFrame{.hardware_type = 6}), k_bad_arp},
    {"not for IPv4", build(ArpFrame{.protocol_type = 0x86dd}), k_bad_arp},
    {"hardware addresses of eight bytes", build(ArpFrame{.hardware_size = 8}), k_bad_arp},
    {"protocol addresses of sixteen bytes", build(ArpFrame{.protocol_size = 16}), k_bad_arp},
    {"a reply", build(ArpFrame{.operation = kArpOperationReply}), k_bad_arp},
    {"operation zero", build(ArpFrame{.operation = 0}), k_bad_arp},
    {"a reverse request", build(ArpFrame{.operation = 3}), k_bad_arp},
};
INSTANTIATE_TEST_SUITE_P(Arp, Malformed, testing::ValuesIn(kArpRows), kSentenceAsName);

const std::vector<MalformedFrame> kIpv4Rows = {
    {"an Ethernet header alone", cut(build(TcpFrame{}), 14), k_truncated_ipv4},
    {"nineteen bytes of header", cut(build(TcpFrame{}), 33), k_truncated_ipv4},
    {"version five", build(TcpFrame{.ip = {.version = 5}}), k_bad_ipv4_header},
    {"version six under the EtherType of four", build(TcpFrame{.ip = {.version = 6}}), k_bad_ipv4_header},
    {"version zero", build(TcpFrame{.ip = {.version = 0}}), k_bad_ipv4_header},
    {"a header of no words", build(TcpFrame{.ip = {.header_words = uint8_t{0}}}), k_bad_ipv4_header},
    {"a header of four words", build(TcpFrame{.ip = {.header_words = uint8_t{4}}}), k_bad_ipv4_header},
    {"a header longer than the packet",
     build(TcpFrame{.ip = {.header_words = uint8_t{15}, .total_length = uint16_t{40}}}), k_bad_ipv4_length},
    {"total length zero", build(TcpFrame{.ip = {.total_length = uint16_t{0}}}), k_bad_ipv4_length},
    {"total length below the header", build(TcpFrame{.ip = {.total_length = uint16_t{19}}}),
     k_bad_ipv4_length},
    {"total length one beyond the frame", build(TcpFrame{.ip = {.total_length = uint16_t{41}}}),
     k_bad_ipv4_length},
    {"the largest total length", build(TcpFrame{.ip = {.total_length = uint16_t{65535}}}), k_bad_ipv4_length},
    {"cut before the last byte", cut(build(TcpFrame{.payload = text("hello")}), 58), k_bad_ipv4_length},
    {"one word of options", build(TcpFrame{.ip = {.options = Bytes(4, 1)}}), k_ipv4_options},
    {"the most options", build(TcpFrame{.ip = {.options = Bytes(40, 1)}}), k_ipv4_options},
    {"a wrong header checksum", build(TcpFrame{.ip = {.checksum = uint16_t{0xbeef}}}), k_bad_ipv4_checksum},
    {"a header checksum of zero", build(TcpFrame{.ip = {.checksum = uint16_t{0}}}), k_bad_ipv4_checksum},
    {"the first fragment", build(TcpFrame{.ip = {.flags_fragment = 0x2000}}), k_fragment},
    {"a middle fragment", build(TcpFrame{.ip = {.flags_fragment = 0x2001}}), k_fragment},
    {"the last fragment", build(TcpFrame{.ip = {.flags_fragment = 0x0001}}), k_fragment},
    {"the last fragment with do not fragment", build(TcpFrame{.ip = {.flags_fragment = 0x5fff}}), k_fragment},
    {"a fragment that would be an echo", build(IcmpFrame{.ip = {.flags_fragment = 0x2000}}), k_fragment},
    {"from the unspecified address", build(TcpFrame{.ip = from(0x00000000)}), k_bad_source},
    {"from this network", build(TcpFrame{.ip = from(0x00ffffff)}), k_bad_source},
    {"from loopback", build(TcpFrame{.ip = from(0x7f000001)}), k_bad_source},
    {"from multicast", build(TcpFrame{.ip = from(0xe0000001)}), k_bad_source},
    {"from a reserved address", build(TcpFrame{.ip = from(0xf0000001)}), k_bad_source},
    {"from broadcast", build(TcpFrame{.ip = from(0xffffffff)}), k_bad_source},
    {"an echo from broadcast", build(IcmpFrame{.ip = from(0xffffffff)}), k_bad_source},
    {"UDP", build(Ipv4Frame{.payload = Bytes(8)}), k_not_tcp},
    {"IPv6 in IPv4", build(Ipv4Frame{.ip = {.protocol = uint8_t{41}}, .payload = Bytes(40)}), k_not_tcp},
    {"protocol zero without payload", build(Ipv4Frame{.ip = {.protocol = uint8_t{0}}}), k_not_tcp},
};
INSTANTIATE_TEST_SUITE_P(Ipv4, Malformed, testing::ValuesIn(kIpv4Rows), kSentenceAsName);

const std::vector<MalformedFrame> kIcmpRows = {
    {"no message", build(Ipv4Frame{.ip = {.protocol = kIpProtocolIcmp}}), k_truncated_icmp},
    {"seven bytes", build(Ipv4Frame{.ip = {.protocol = kIpProtocolIcmp}, .payload = Bytes(7)}),
     k_truncated_icmp},
    {"seven bytes and padding",
     build(Ipv4Frame{.ip = {.protocol = kIpProtocolIcmp}, .payload = Bytes(7), .padding = 19}),
     k_truncated_icmp},
    {"a wrong checksum", build(IcmpFrame{.icmp = {.checksum = uint16_t{0xbeef}}}), k_bad_icmp_checksum},
    {"an echo reply", build(IcmpFrame{.icmp = {.type = kIcmpEchoReply}}), k_icmp_unhandled},
    {"an echo request with a code", build(IcmpFrame{.icmp = {.code = 1}}), k_icmp_unhandled},
    {"unreachable", build(IcmpFrame{.icmp = {.type = 3, .code = 4}}), k_icmp_unhandled},
    {"a redirect", build(IcmpFrame{.icmp = {.type = 5}}), k_icmp_unhandled},
};
INSTANTIATE_TEST_SUITE_P(Icmp, Malformed, testing::ValuesIn(kIcmpRows), kSentenceAsName);

const std::vector<MalformedFrame> kTcpRows = {
    {"no segment", build(Ipv4Frame{.ip = {.protocol = kIpProtocolTcp}}), k_truncated_tcp},
    {"nineteen bytes", build(Ipv4Frame{.ip = {.protocol = kIpProtocolTcp}, .payload = Bytes(19)}),
     k_truncated_tcp},
    {"nineteen bytes and padding",
     build(Ipv4Frame{.ip = {.protocol = kIpProtocolTcp}, .payload = Bytes(19), .padding = 7}),
     k_truncated_tcp},
    {"a header of no words", build(TcpFrame{.tcp = {.header_words = uint8_t{0}}}), k_bad_tcp_header},
    {"a header of four words", build(TcpFrame{.tcp = {.header_words = uint8_t{4}}}), k_bad_tcp_header},
    {"a header one word longer than the segment", build(TcpFrame{.tcp = {.header_words = uint8_t{6}}}),
     k_bad_tcp_header},
    {"a header that ends in the padding", build(TcpFrame{.tcp = {.header_words = uint8_t{6}}, .padding = 6}),
     k_bad_tcp_header},
    {"a header one byte longer than the segment",
     build(TcpFrame{.tcp = {.header_words = uint8_t{6}}, .payload = text("abc")}), k_bad_tcp_header},
    {"a wrong checksum", build(TcpFrame{.tcp = {.checksum = uint16_t{0xbeef}}}), k_bad_tcp_checksum},
    {"no checksum", build(TcpFrame{.tcp = {.checksum = uint16_t{0}}}), k_bad_tcp_checksum},
    {"no flags", build(with_flags(0)), k_bad_tcp_flags},
    {"PSH and URG alone", build(with_flags(kTcpPsh | 0x20)), k_bad_tcp_flags},
    {"SYN with FIN", build(with_flags(kTcpSyn | kTcpFin)), k_bad_tcp_flags},
    {"SYN with RST", build(with_flags(kTcpSyn | kTcpRst)), k_bad_tcp_flags},
    {"SYN with RST and ACK", build(with_flags(kTcpSyn | kTcpRst | kTcpAck)), k_bad_tcp_flags},
    {"every flag", build(with_flags(0xff)), k_bad_tcp_flags},
};
INSTANTIATE_TEST_SUITE_P(Tcp, Malformed, testing::ValuesIn(kTcpRows), kSentenceAsName);

TEST(Parse, AcceptsAFlagCombinationExactlyWhenAStackMaySendIt) {
  for (unsigned flags = 0; flags < 256; ++flags) {
    const Bytes frame = build(with_flags(static_cast<uint8_t>(flags)));
    const bool syn = (flags & 0x02U) != 0;
    const bool fin_or_rst = (flags & 0x05U) != 0;
    const bool ack = (flags & 0x10U) != 0;
    const bool sane = syn ? !fin_or_rst : (fin_or_rst || ack);
    EXPECT_EQ(parse_frame(frame).kind, sane ? PacketKind::kTcp : PacketKind::kDrop) << "flags " << flags;
  }
}

TEST(Parse, TrustsTheSumsThatTheNicHasVerified) {
  struct Row {
    const char* sentence;
    Bytes frame;
    ChecksumsKnownGood known;
    PacketKind expected;
  };
  const Bytes bad_ipv4 = build(TcpFrame{.ip = {.checksum = uint16_t{0xbeef}}});
  const Bytes bad_tcp = build(TcpFrame{.tcp = {.checksum = uint16_t{0xbeef}}});
  const Bytes bad_icmp = build(IcmpFrame{.icmp = {.checksum = uint16_t{0xbeef}}});
  for (const Row& row : {
           Row{"IPv4 wrong, IPv4 known", bad_ipv4, {.ipv4 = true}, PacketKind::kTcp},
           Row{"IPv4 wrong, TCP known", bad_ipv4, {.l4 = true}, PacketKind::kDrop},
           Row{"TCP wrong, TCP known", bad_tcp, {.l4 = true}, PacketKind::kTcp},
           Row{"TCP wrong, IPv4 known", bad_tcp, {.ipv4 = true}, PacketKind::kDrop},
           Row{"ICMP wrong: no NIC verifies it", bad_icmp, {.ipv4 = true, .l4 = true}, PacketKind::kDrop},
       }) {
    EXPECT_EQ(parse_frame(row.frame, row.known).kind, row.expected) << row.sentence;
  }
}

// Known sums excuse nothing else: every other malformed frame stays dropped for the same reason.
TEST(Parse, DropsTheMalformedAlsoWhenSumsAreKnownGood) {
  for (const auto* rows : {&kEthernetRows, &kArpRows, &kIpv4Rows, &kIcmpRows, &kTcpRows}) {
    for (const MalformedFrame& row : *rows) {
      if (row.reason == k_bad_ipv4_checksum || row.reason == k_bad_tcp_checksum) continue;
      const ParsedPacket packet = parse_frame(row.frame, {.ipv4 = true, .l4 = true});
      EXPECT_EQ(packet.kind, PacketKind::kDrop) << row.sentence;
      EXPECT_EQ(packet.reason, row.reason) << row.sentence;
    }
  }
}

TEST(Parse, HasARowForEachReasonThatItGives) {
  std::set<DropReason> seen;
  for (const auto* rows : {&kEthernetRows, &kArpRows, &kIpv4Rows, &kIcmpRows, &kTcpRows}) {
    for (const MalformedFrame& row : *rows) seen.insert(row.reason);
  }
  // The parser's reasons stand before not_ours; two among them are the worker's.
  for (size_t reason = 0; reason < static_cast<size_t>(k_not_ours); ++reason) {
    const auto each = static_cast<DropReason>(reason);
    if (each == k_other_mac || each == k_oversize) continue;
    EXPECT_TRUE(seen.contains(each)) << to_string(each);
  }
}

}  // namespace
}  // namespace cheshire
