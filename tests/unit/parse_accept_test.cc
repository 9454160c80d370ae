// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Every shape of frame that the parser accepts, and what it says about it.
#include <gtest/gtest.h>

#include "dataplane/packet/parse.h"
#include "dataplane/packet/plain_segment.h"
#include "tests/support/exact_buffer.h"
#include "tests/support/frame_builder.h"
#include "tests/support/printing.h"
#include "tests/support/sentence.h"

namespace cheshire {
namespace {

using namespace test;

struct AcceptedFrame {
  const char* sentence;
  Bytes frame;
  ParsedPacket expected;
};

// As a failed parametrised test prints it.
void PrintTo(const AcceptedFrame& row, std::ostream* out) {
  *out << row.sentence;
}

class Accepted : public testing::TestWithParam<AcceptedFrame> {};

TEST_P(Accepted, IsSeenAsWhatItIs) {
  const ExactBuffer frame(GetParam().frame);
  const ParsedPacket packet = parse_frame(frame.span());
  const ParsedPacket& expected = GetParam().expected;

  ASSERT_EQ(packet.kind, expected.kind) << "dropped as " << to_string(packet.reason);
  EXPECT_EQ(packet.tcp_flags, expected.tcp_flags);
  EXPECT_EQ(packet.tcp_header_length, expected.tcp_header_length);
  EXPECT_EQ(packet.l3_offset, expected.l3_offset);
  EXPECT_EQ(packet.l4_offset, expected.l4_offset);
  EXPECT_EQ(packet.l4_length, expected.l4_length);
  EXPECT_EQ(packet.vlan_tci, expected.vlan_tci);
  EXPECT_EQ(packet.frame_length, expected.frame_length);
}

// Whatever is cut off, nothing is accepted and nothing behind the end is read.
TEST_P(Accepted, IsDroppedWhenCutAnywhere) {
  const size_t whole = GetParam().expected.frame_length;
  for (size_t length = 0; length < whole; ++length) {
    const ExactBuffer frame(std::span(GetParam().frame).first(length));
    EXPECT_EQ(parse_frame(frame.span()).kind, PacketKind::kDrop) << "cut to " << length << " bytes";
    EXPECT_EQ(parse_frame(frame.span(), {.ipv4 = true, .l4 = true}).kind, PacketKind::kDrop)
        << "cut to " << length << " bytes, sums known good";
  }
}

TEST_P(Accepted, IsTheSameWithAnyPadding) {
  for (size_t padding = 0; padding < 70; ++padding) {
    Bytes padded(GetParam().frame.begin(), GetParam().frame.begin() + GetParam().expected.frame_length);
    padded.resize(padded.size() + padding, 0xa5);
    const ExactBuffer frame(padded);
    const ParsedPacket packet = parse_frame(frame.span());
    EXPECT_EQ(packet.kind, GetParam().expected.kind) << padding;
    EXPECT_EQ(packet.frame_length, GetParam().expected.frame_length) << padding;
    EXPECT_EQ(packet.l4_length, GetParam().expected.l4_length) << padding;
  }
}

// One damaged bit anywhere in the IPv4 packet is noticed; only Ethernet and ARP have no checksum.
TEST_P(Accepted, IsDroppedWithAnyBitOfThePacketFlipped) {
  if (GetParam().expected.kind == PacketKind::kArp) return;
  for (size_t at = GetParam().expected.l3_offset; at < GetParam().expected.frame_length; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      ExactBuffer frame(GetParam().frame);
      frame.data()[at] = static_cast<uint8_t>(frame.data()[at] ^ (1U << bit));
      EXPECT_EQ(parse_frame(frame.span()).kind, PacketKind::kDrop) << "byte " << at << " bit " << bit;
    }
  }
}

ParsedPacket tcp(uint8_t flags, uint8_t header_length, uint16_t payload_bytes, uint16_t vlan_tci = kNoVlan) {
  const uint16_t l3_offset = vlan_tci == kNoVlan ? 14 : 18;
  const auto l4_length = static_cast<uint16_t>(header_length + payload_bytes);
  return {.kind = PacketKind::kTcp,
          .tcp_header_length = header_length,
          .tcp_flags = flags,
          .l3_offset = l3_offset,
          .l4_offset = static_cast<uint16_t>(l3_offset + 20),
          .l4_length = l4_length,
          .frame_length = static_cast<uint16_t>(l3_offset + 20 + l4_length),
          .vlan_tci = vlan_tci};
}

ParsedPacket echo(uint16_t payload_bytes, uint16_t vlan_tci = kNoVlan) {
  const uint16_t l3_offset = vlan_tci == kNoVlan ? 14 : 18;
  const auto l4_length = static_cast<uint16_t>(8 + payload_bytes);
  return {.kind = PacketKind::kIcmpEcho,
          .l3_offset = l3_offset,
          .l4_offset = static_cast<uint16_t>(l3_offset + 20),
          .l4_length = l4_length,
          .frame_length = static_cast<uint16_t>(l3_offset + 20 + l4_length),
          .vlan_tci = vlan_tci};
}

ParsedPacket arp(uint16_t vlan_tci = kNoVlan) {
  const uint16_t l3_offset = vlan_tci == kNoVlan ? 14 : 18;
  return {.kind = PacketKind::kArp,
          .l3_offset = l3_offset,
          .frame_length = static_cast<uint16_t>(l3_offset + 28),
          .vlan_tci = vlan_tci};
}

constexpr uint8_t kAllButSynRst = 0xff & ~(kTcpSyn | kTcpRst);  // ECE, CWR and URG too

const std::vector<AcceptedFrame> kTcpFrames = {
    {"a bare ACK", build(TcpFrame{}), tcp(kTcpAck, 20, 0)},
    {"a bare ACK padded to sixty bytes", build(TcpFrame{.padding = 6}), tcp(kTcpAck, 20, 0)},
    {"a SYN with twenty bytes of options",
     build(TcpFrame{.tcp = {.flags = kTcpSyn, .options = Bytes(20, 1)}}), tcp(kTcpSyn, 40, 0)},
    {"the longest TCP header", build(TcpFrame{.tcp = {.flags = kTcpSyn, .options = Bytes(40, 1)}}),
     tcp(kTcpSyn, 60, 0)},
    {"the longest TCP header with one byte of payload",
     build(TcpFrame{.tcp = {.options = Bytes(40, 1)}, .payload = text("x")}), tcp(kTcpAck, 60, 1)},
    {"a SYN ACK", build(TcpFrame{.tcp = {.flags = kTcpSyn | kTcpAck}}), tcp(kTcpSyn | kTcpAck, 20, 0)},
    {"a SYN with payload as Fast Open sends it",
     build(TcpFrame{.tcp = {.flags = kTcpSyn}, .payload = text("GET /")}), tcp(kTcpSyn, 20, 5)},
    {"a SYN with ECE and CWR", build(TcpFrame{.tcp = {.flags = kTcpSyn | 0xc0}}), tcp(kTcpSyn | 0xc0, 20, 0)},
    {"data of even length", build(TcpFrame{.tcp = {.flags = kTcpPsh | kTcpAck}, .payload = text("even")}),
     tcp(kTcpPsh | kTcpAck, 20, 4)},
    {"data of odd length", build(TcpFrame{.tcp = {.flags = kTcpPsh | kTcpAck}, .payload = text("odd")}),
     tcp(kTcpPsh | kTcpAck, 20, 3)},
    {"data that is all ones", build(TcpFrame{.payload = Bytes(301, 0xff)}), tcp(kTcpAck, 20, 301)},
    {"a FIN ACK with payload", build(TcpFrame{.tcp = {.flags = kTcpFin | kTcpAck}, .payload = text("bye")}),
     tcp(kTcpFin | kTcpAck, 20, 3)},
    {"a FIN alone", build(TcpFrame{.tcp = {.flags = kTcpFin}}), tcp(kTcpFin, 20, 0)},
    {"a RST alone", build(TcpFrame{.tcp = {.flags = kTcpRst}}), tcp(kTcpRst, 20, 0)},
    {"a RST ACK", build(TcpFrame{.tcp = {.flags = kTcpRst | kTcpAck}}), tcp(kTcpRst | kTcpAck, 20, 0)},
    {"every flag but SYN and RST", build(TcpFrame{.tcp = {.flags = kAllButSynRst}}),
     tcp(kAllButSynRst, 20, 0)},
    {"a full Ethernet frame", build(TcpFrame{.payload = Bytes(1460, 'x')}), tcp(kTcpAck, 20, 1460)},
    {"a packet without the do not fragment bit", build(TcpFrame{.ip = {.flags_fragment = 0}}),
     tcp(kTcpAck, 20, 0)},
    {"a packet with the reserved fragment bit", build(TcpFrame{.ip = {.flags_fragment = 0x8000}}),
     tcp(kTcpAck, 20, 0)},
    {"a packet with a time to live of one", build(TcpFrame{.ip = {.ttl = 1}}), tcp(kTcpAck, 20, 0)},
    {"a packet with a traffic class", build(TcpFrame{.ip = {.dscp_ecn = 0xb9}}), tcp(kTcpAck, 20, 0)},
    {"a packet from the last unicast address", build(TcpFrame{.ip = {.source = be32(0xdfffffff)}}),
     tcp(kTcpAck, 20, 0)},
    {"a tagged ACK", build(TcpFrame{.ethernet = {.vlan_tci = uint16_t{7}}}), tcp(kTcpAck, 20, 0, 7)},
    {"a tagged ACK padded to sixty four bytes",
     build(TcpFrame{.ethernet = {.vlan_tci = uint16_t{7}}, .padding = 6}), tcp(kTcpAck, 20, 0, 7)},
    {"a priority tag without a VLAN", build(TcpFrame{.ethernet = {.vlan_tci = uint16_t{0xa000}}}),
     tcp(kTcpAck, 20, 0, 0xa000)},
    {"the last VLAN with the highest priority",
     build(TcpFrame{.ethernet = {.vlan_tci = uint16_t{0xfffe}}, .payload = text("x")}),
     tcp(kTcpAck, 20, 1, 0xfffe)},
};
INSTANTIATE_TEST_SUITE_P(Tcp, Accepted, testing::ValuesIn(kTcpFrames), kSentenceAsName);

const std::vector<AcceptedFrame> kOtherFrames = {
    {"an echo request", build(IcmpFrame{}), echo(8)},
    {"an echo request without payload", build(IcmpFrame{.payload = {}}), echo(0)},
    {"an echo request of odd length", build(IcmpFrame{.payload = text("abc")}), echo(3)},
    {"an echo request with padding", build(IcmpFrame{.payload = {}, .padding = 18}), echo(0)},
    {"a tagged echo request", build(IcmpFrame{.ethernet = {.vlan_tci = uint16_t{100}}}), echo(8, 100)},
    {"an ARP request", build(ArpFrame{}), arp()},
    {"an ARP request with padding", build(ArpFrame{.padding = 18}), arp()},
    {"an ARP request to us alone", build(ArpFrame{.ethernet = {.destination = kNicMac}}), arp()},
    {"a tagged ARP request", build(ArpFrame{.ethernet = {.vlan_tci = uint16_t{100}}}), arp(100)},
};
INSTANTIATE_TEST_SUITE_P(Other, Accepted, testing::ValuesIn(kOtherFrames), kSentenceAsName);

TEST(Parse, AcceptsThePacketThatFillsTheLargestBuffer) {
  // An mbuf's data_len ends at 65,535, and so do the 16-bit offsets of ParsedPacket.
  constexpr size_t kHeaders = 14 + 20 + 20;
  const ExactBuffer frame(build(TcpFrame{.payload = Bytes(65535 - kHeaders, 'x')}));
  const ParsedPacket packet = parse_frame(frame.span());
  EXPECT_EQ(packet.kind, PacketKind::kTcp);
  EXPECT_EQ(packet.frame_length, 65535);
}

TEST(Parse, CountsSynAndFinAsOneByteOfSequenceSpaceEach) {
  struct Row {
    const char* sentence;
    uint8_t flags;
    const char* payload;
    uint32_t expected;
  };
  for (const Row& row :
       {Row{"a bare ACK takes none", kTcpAck, "", 0}, Row{"a SYN takes one", kTcpSyn, "", 1},
        Row{"a FIN takes one", kTcpFin | kTcpAck, "", 1},
        Row{"payload takes its length", kTcpAck, "hello", 5},
        Row{"payload and FIN", kTcpFin | kTcpAck, "hello", 6}, Row{"payload and SYN", kTcpSyn, "hello", 6},
        Row{"a RST takes none", kTcpRst, "", 0}}) {
    const Bytes frame =
        build(TcpFrame{.tcp = {.flags = row.flags, .options = Bytes(8, 1)}, .payload = text(row.payload)});
    EXPECT_EQ(tcp_sequence_length(parse_frame(frame)), row.expected) << row.sentence;
  }
}

TEST(ParsePlain, KnowsTheMacThatItIsAskedFor) {
  const Bytes frame = build(TcpFrame{});
  MacAddress destination;
  MacAddress source;
  std::memcpy(&destination, frame.data(), sizeof(destination));
  std::memcpy(&source, frame.data() + 6, sizeof(source));
  const auto is_plain = [&](const PlainHeaders& headers) {
    ParsedPacket packet;
    return parse_plain_segment(headers, frame, {}, packet);
  };
  EXPECT_TRUE(is_plain(PlainHeaders::of_anybody()));
  EXPECT_TRUE(is_plain(PlainHeaders::to(destination)));
  EXPECT_TRUE(is_plain(PlainHeaders::from(source)));
  for (size_t at = 0; at < 6; ++at) {
    destination.bytes[at] ^= 1U;
    source.bytes[at] ^= 0x80U;
    EXPECT_FALSE(is_plain(PlainHeaders::to(destination))) << at;
    EXPECT_FALSE(is_plain(PlainHeaders::from(source))) << at;
    destination.bytes[at] ^= 1U;
    source.bytes[at] ^= 0x80U;
  }
}

// The short way of plain segments and the long way of everything say the same, whichever byte is not as usual.
TEST(ParsePlain, AgreesWithTheWholeParserWhateverByteIsChanged) {
  size_t plain_ones = 0;
  const auto compare = [&](std::span<const uint8_t> frame, ChecksumsKnownGood known) {
    ParsedPacket plain;
    if (!parse_plain_segment(PlainHeaders::of_anybody(), frame, known, plain)) return;
    ++plain_ones;
    const ParsedPacket all = parse_frame(frame, known);
    ASSERT_EQ(all.kind, PacketKind::kTcp);
    ASSERT_EQ(plain.kind, PacketKind::kTcp);
    ASSERT_EQ(plain.tcp_flags, all.tcp_flags);
    ASSERT_EQ(plain.tcp_header_length, all.tcp_header_length);
    ASSERT_EQ(plain.l3_offset, all.l3_offset);
    ASSERT_EQ(plain.l4_offset, all.l4_offset);
    ASSERT_EQ(plain.l4_length, all.l4_length);
    ASSERT_EQ(plain.vlan_tci, all.vlan_tci);
    ASSERT_EQ(plain.frame_length, all.frame_length);
  };
  for (const size_t options : {0U, 12U, 40U}) {
    for (const char* payload : {"", "x", "GET / HTTP/1.1"}) {
      const Bytes whole =
          build(TcpFrame{.tcp = {.options = Bytes(options, 1)}, .payload = text(payload), .padding = 3});
      for (size_t at = 0; at < whole.size(); ++at) {
        for (unsigned value = 0; value < 256; ++value) {
          SCOPED_TRACE(testing::Message() << options << " of options, byte " << at << " is " << value);
          Bytes frame = whole;
          frame[at] = static_cast<uint8_t>(value);
          ASSERT_NO_FATAL_FAILURE(compare(frame, {}));
          ASSERT_NO_FATAL_FAILURE(compare(frame, {.ipv4 = true, .l4 = true}));
        }
      }
      for (size_t length = 0; length < whole.size(); ++length) {
        ASSERT_NO_FATAL_FAILURE(compare(std::span(whole).first(length), {})) << "cut at " << length;
      }
    }
  }
  EXPECT_GT(plain_ones, 9000U);
}

// What says more than that its flow lives is looked at the long way.
TEST(ParsePlain, LeavesWhatBeginsOrEndsAConnectionToTheWholeParser) {
  for (unsigned flags = 0; flags < 256; ++flags) {
    ParsedPacket packet;
    const Bytes frame = build(TcpFrame{.tcp = {.flags = static_cast<uint8_t>(flags)}});
    const bool tells = (flags & (kTcpSyn | kTcpFin | kTcpRst)) != 0 || (flags & kTcpAck) == 0;
    EXPECT_EQ(parse_plain_segment(PlainHeaders::of_anybody(), frame, {}, packet), !tells) << flags;
  }
}

// With the options that every Linux sends, and without.
TEST(ParsePlain, KnowsSegmentsWithAndWithoutTcpOptions) {
  for (const size_t options : {0U, 12U, 40U}) {
    for (const char* payload : {"", "GET / HTTP/1.1"}) {
      ParsedPacket packet;
      const Bytes frame = build(TcpFrame{.tcp = {.options = Bytes(options, 1)}, .payload = text(payload)});
      ASSERT_TRUE(parse_plain_segment(PlainHeaders::of_anybody(), frame, {}, packet)) << options << payload;
      EXPECT_EQ(packet.tcp_header_length, sizeof(TcpHeader) + options);
      EXPECT_EQ(packet.l4_length, sizeof(TcpHeader) + options + std::string_view(payload).size());
    }
  }
}

}  // namespace
}  // namespace cheshire
