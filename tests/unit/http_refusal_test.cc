// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/http_refusal.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/frame_builder.h"
#include "units.h"

namespace cheshire {
namespace {

using test::build;
using test::Bytes;
using test::TcpFrame;
using test::text;

constexpr uint64_t kNow = 1000 * kNsPerSecond;
constexpr uint64_t kPeriod = 32 * kNsPerSecond;
const FlowKey kFlow{test::kClientIp, be16(test::kClientPort), {0}};

class HttpRefusal : public ::testing::Test {
 protected:
  SynCookies cookies{{3, 5}, kPeriod};
  RefusalPage page = make_refusal_page(7, 0, "busy\n");

  // Turns the frame into what is answered; empty: nothing to send.
  Bytes answer(const TcpFrame& fields, RefusalStep expected, uint64_t now_ns = kNow) {
    Bytes frame = build(fields);
    const size_t length = frame.size();
    frame.resize(2048);
    const ParsedPacket packet = parse_frame({frame.data(), length});
    EXPECT_EQ(packet.kind, PacketKind::kTcp);
    const auto& tcp = header_at<TcpHeader>(frame.data(), packet.l4_offset);
    const std::span<const uint8_t> payload(frame.data() + packet.l4_offset + packet.tcp_header_length,
                                           static_cast<size_t>(packet.l4_length - packet.tcp_header_length));
    const RefusalReply reply =
        refuse_segment(cookies, page, kFlow,
                       {packet.tcp_flags, tcp.sequence.value(), tcp.acknowledgment.value(), payload}, now_ns);
    EXPECT_EQ(reply.step, expected);
    if (reply.step != RefusalStep::kAnswer && reply.step != RefusalStep::kAcknowledge) return {};
    frame.resize(write_refusal(frame.data(), packet, page, reply));
    EXPECT_LE(frame.size(), refusal_frame_max(page));
    EXPECT_TRUE(test::ipv4_checksum_is_right(frame));
    EXPECT_TRUE(test::tcp_checksum_is_right(frame));
    return frame;
  }
  static TcpFrame segment(uint8_t flags, uint32_t sequence, uint32_t acknowledgment,
                          std::string_view payload = {}) {
    return {.tcp = {.sequence = sequence, .acknowledgment = acknowledgment, .flags = flags},
            .payload = text(payload)};
  }
  static uint32_t sequence_of(const Bytes& frame) { return test::read32(frame, 38); }
  static uint32_t acknowledgment_of(const Bytes& frame) { return test::read32(frame, 42); }
  static uint8_t flags_of(const Bytes& frame) { return frame[47]; }
  static std::string payload_of(const Bytes& frame) { return {frame.begin() + 54, frame.end()}; }
};

constexpr uint8_t kData = kTcpAck | kTcpPsh;

TEST_F(HttpRefusal, ThePageIsAWholeAnswer) {
  EXPECT_EQ(page.full,
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After:      \r\nConnection: close\r\n"
            "Cache-Control: no-store\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 5\r\n\r\nbusy\n"
                // one blank ends the key, five are the number's place
                + std::string());
  EXPECT_EQ(page.full.substr(page.full_retry_at, kRetryDigits), std::string(kRetryDigits, ' '));
  EXPECT_LE(page.bare.size(), 536U);
}

TEST_F(HttpRefusal, AConversationFromSynToTheLastAck) {
  Bytes frame = build(TcpFrame{.tcp = {.sequence = 1000, .flags = kTcpSyn, .options = {2, 4, 5, 0xb4}}});
  const ParsedPacket syn = parse_frame(frame);
  frame.resize(128);
  const uint32_t cookie = cookies.make(CookieKind::kHandshake, kFlow, 3, kNow);
  frame.resize(write_cookie_syn_ack(frame.data(), syn, cookie));
  EXPECT_EQ(sequence_of(frame), cookie);
  EXPECT_EQ(acknowledgment_of(frame), 1001U);
  EXPECT_EQ(flags_of(frame), kTcpSyn | kTcpAck);
  EXPECT_EQ(payload_of(frame), std::string("\x02\x04\x05\xb4", 4)) << "an MSS of 1460, nothing else";
  EXPECT_TRUE(test::tcp_checksum_is_right(frame));
  EXPECT_TRUE(test::ipv4_checksum_is_right(frame));

  answer(segment(kTcpAck, 1001, cookie + 1), RefusalStep::kNothing);

  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const Bytes refusal = answer(segment(kData, 1001, cookie + 1, request), RefusalStep::kAnswer);
  EXPECT_EQ(sequence_of(refusal), cookie + 1);
  EXPECT_EQ(acknowledgment_of(refusal), 1001 + request.size());
  EXPECT_EQ(flags_of(refusal), kTcpAck | kTcpPsh | kTcpFin);
  std::string expected = page.full;
  expected.replace(page.full_retry_at, 1, "7");
  EXPECT_EQ(payload_of(refusal), expected);

  const auto end = static_cast<uint32_t>(cookie + 1 + expected.size() + 1);
  const auto next = static_cast<uint32_t>(1001 + request.size());
  answer(segment(kTcpAck, next, end), RefusalStep::kNothing);
  const Bytes last = answer(segment(kTcpAck | kTcpFin, next, end), RefusalStep::kAcknowledge);
  EXPECT_EQ(sequence_of(last), end);
  EXPECT_EQ(acknowledgment_of(last), next + 1);
  EXPECT_EQ(flags_of(last), kTcpAck);
  EXPECT_EQ(payload_of(last), "");
  const Bytes more = answer(segment(kData, next, end, "abc"), RefusalStep::kAcknowledge);
  EXPECT_EQ(acknowledgment_of(more), next + 3) << "a client that goes on writing is acknowledged";
}

TEST_F(HttpRefusal, WhateverComesFirstIsAnswered) {
  const uint32_t start = cookies.make(CookieKind::kHandshake, kFlow, 3, kNow) + 1;
  struct Case {
    const char* what;
    uint8_t flags;
    std::string payload;
    RefusalStep step;
  };
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  const Case cases[] = {
      {"one byte of a request", kData, "G", RefusalStep::kAnswer},
      {"the first segment of a request line of 64 KiB", kData, "GET /" + std::string(1400, 'a'),
       RefusalStep::kAnswer},
      {"the middle of it", kData, std::string(1460, 'a'), RefusalStep::kAnswer},
      {"an upload's binary middle", kData, std::string("\x16\x00\xff\xfe zzz", 8), RefusalStep::kAnswer},
      {"data with FIN", kData | kTcpFin, "GET / HTTP/1.0\r\n\r\n", RefusalStep::kAnswer},
      {"FIN alone, its request perhaps on the way", kTcpAck | kTcpFin, "", RefusalStep::kAnswer},
      {"nonsense", kData, std::string("\0\1\2", 3), RefusalStep::kAnswer},
      {"a TLS hello", kData, hello, RefusalStep::kNotHttp},
      {"an HTTP/2 preface", kData, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RefusalStep::kNotHttp},
      {"the method PRI of something else", kData, "PRI /x HTTP/1.1\r\n\r\n", RefusalStep::kAnswer},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const Bytes reply = answer(segment(c.flags, 5000, start, c.payload), c.step);
    if (c.step != RefusalStep::kAnswer) continue;
    EXPECT_EQ(acknowledgment_of(reply), 5000 + c.payload.size() + ((c.flags & kTcpFin) != 0 ? 1 : 0));
    EXPECT_EQ(payload_of(reply).substr(0, 12), "HTTP/1.1 503");
  }
}

TEST_F(HttpRefusal, WhatIsNotOursIsForeign) {
  const uint32_t cookie = cookies.make(CookieKind::kHandshake, kFlow, 3, kNow);
  const uint32_t challenge = cookies.make(CookieKind::kChallenge, kFlow, 0, kNow);
  const std::string get = "GET / HTTP/1.1\r\n\r\n";
  answer(segment(kData, 1001, 12345, get), RefusalStep::kForeign);
  answer(segment(kData, 1001, cookie, get), RefusalStep::kForeign);
  answer(segment(kData, 1001, cookie + 2, get), RefusalStep::kForeign);
  answer(segment(kData, 1001, challenge + 1, get), RefusalStep::kForeign);
  answer(segment(kData, 1001, cookie + 1, get), RefusalStep::kForeign, kNow + 2 * kPeriod);
  answer(segment(kTcpAck | kTcpFin, 1001, cookie + 100), RefusalStep::kForeign);
  TcpFrame elsewhere = segment(kData, 1001, cookie + 1, get);
  const FlowKey other{be32(0xc6336499), be16(test::kClientPort), {0}};
  EXPECT_EQ(refuse_segment(cookies, page, other, {kData, 1001, cookie + 1, text(get)}, kNow).step,
            RefusalStep::kForeign);
}

TEST_F(HttpRefusal, HeadGetsNoBodyAndASmallMssTheBareAnswer) {
  page = make_refusal_page(1, 0, std::string(kRefusalBodyMax, 'b'));
  const uint32_t large = cookies.make(CookieKind::kHandshake, kFlow, 3, kNow);
  const uint32_t small = cookies.make(CookieKind::kHandshake, kFlow, 0, kNow);
  const std::string to_head =
      payload_of(answer(segment(kData, 1, large + 1, "HEAD / HTTP/1.1\r\n\r\n"), RefusalStep::kAnswer));
  EXPECT_EQ(to_head.size(), page.head_length);
  EXPECT_TRUE(to_head.ends_with("Content-Length: 1000\r\n\r\n"));
  const std::string to_small =
      payload_of(answer(segment(kData, 1, small + 1, "GET / HTTP/1.1\r\n\r\n"), RefusalStep::kAnswer));
  EXPECT_LE(to_small.size(), 536U);
  EXPECT_TRUE(to_small.ends_with("Content-Length: 0\r\n\r\n"));
  for (const auto& [cookie, length] : {std::pair(large, to_head.size()), std::pair(small, to_small.size())}) {
    const auto end = static_cast<uint32_t>(cookie + 1 + length + 1);
    answer(segment(kTcpAck | kTcpFin, 20, end), RefusalStep::kAcknowledge);
  }
}

TEST_F(HttpRefusal, RetryAfterIsSpreadAndTheSameWhenRepeated) {
  page = make_refusal_page(10, 5, "x");
  std::array<int, 16> seen{};
  for (uint16_t port = 1; port <= 1200; ++port) {
    const FlowKey flow{test::kClientIp, be16(port), {0}};
    const uint32_t cookie = cookies.make(CookieKind::kHandshake, flow, 3, kNow);
    const RefusalReply reply =
        refuse_segment(cookies, page, flow, {kData, 1, cookie + 1, text("GET / HTTP/1.1\r\n\r\n")}, kNow);
    std::string first;
    for (int twice = 0; twice < 2; ++twice) {
      Bytes frame = build(segment(kData, 1, cookie + 1, "GET / HTTP/1.1\r\n\r\n"));
      const ParsedPacket packet = parse_frame(frame);
      frame.resize(2048);
      frame.resize(write_refusal(frame.data(), packet, page, reply));
      const std::string payload = payload_of(frame);
      if (twice == 1) {
        EXPECT_EQ(payload, first);
      }
      first = payload;
    }
    const int seconds = std::stoi(first.substr(page.full_retry_at, kRetryDigits));
    ASSERT_GE(seconds, 10);
    ASSERT_LE(seconds, 15);
    ++seen[static_cast<size_t>(seconds)];
  }
  for (size_t seconds = 10; seconds <= 15; ++seconds) EXPECT_GT(seen[seconds], 140) << seconds;
}

TEST_F(HttpRefusal, AChallengeAcknowledgesWhatWasNeverSent) {
  for (const std::optional<uint16_t> vlan : {std::optional<uint16_t>{}, std::optional<uint16_t>{7}}) {
    Bytes frame =
        build(TcpFrame{.ethernet = {.vlan_tci = vlan}, .tcp = {.sequence = 1000, .flags = kTcpSyn}});
    const ParsedPacket syn = parse_frame(frame);
    frame.resize(128);
    frame.resize(write_challenge(frame.data(), syn, 77));
    const size_t shift = vlan ? 4 : 0;
    EXPECT_EQ(test::read32(frame, 42 + shift), 77U);
    EXPECT_EQ(frame[47 + shift], kTcpAck);
    EXPECT_TRUE(test::tcp_checksum_is_right(frame, 14 + shift));
  }
}

}  // namespace
}  // namespace cheshire
