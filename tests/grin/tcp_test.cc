// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Opening, closing and refusing connections, segment by segment: what RFC 9293 and RFC 5961 ask for.

#include "unikernel/tcp.h"

#include <gtest/gtest.h>

#include <string>

#include "guest.h"
#include "test_client.h"

namespace cheshire::grin::test {
namespace {

class TcpTest : public testing::Test {
 protected:
  Guest guest_{{.capacity = 4}};
  Client client_{guest_, 40000, 1000};
};

TEST_F(TcpTest, a_request_is_answered_with_one_segment_that_carries_the_ack) {
  client_.connect();
  client_.send(kTcpAck | kTcpPsh, kGet);
  const TestSegment answer = client_.take();
  EXPECT_EQ(answer.acknowledgment, client_.next());
  EXPECT_EQ(answer.payload.substr(0, 15), "HTTP/1.1 200 OK");
  client_.expect_silence();
  client_.send(kTcpAck);
  client_.send(kTcpAck, kGet);
  EXPECT_EQ(client_.take().payload, answer.payload);
  EXPECT_EQ(guest_.counters.requests, 2U);
}

TEST_F(TcpTest, the_client_closes_first) {
  client_.connect();
  client_.send(kFinAck);
  const TestSegment answer = client_.take();
  EXPECT_EQ(answer.flags, kFinAck);
  EXPECT_EQ(answer.acknowledgment, client_.next());
  client_.send(kTcpAck);
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
  EXPECT_EQ(guest_.tcp.time_wait_count(), 0U);
}

TEST_F(TcpTest, the_server_closes_first_and_waits_a_short_time) {
  client_.connect();
  client_.send(kTcpAck, kGetClose);
  const TestSegment answer = client_.take();
  EXPECT_EQ(answer.flags, kTcpAck | kTcpPsh | kTcpFin);
  client_.send(kFinAck);
  EXPECT_EQ(client_.take().acknowledgment, client_.next());
  EXPECT_EQ(guest_.tcp.time_wait_count(), 1U);
  guest_.advance(kTimeWaitUs);
  EXPECT_EQ(guest_.tcp.time_wait_count(), 0U);
}

TEST_F(TcpTest, both_close_at_once) {
  client_.connect();
  client_.send(kTcpAck, kGetClose);
  const uint32_t before_answer = client_.ack();
  static_cast<void>(client_.take());
  // The client's FIN crosses the answer: it acknowledges nothing of it.
  client_.send_raw({.sequence = client_.next(), .acknowledgment = before_answer, .flags = kFinAck});
  EXPECT_EQ(client_.take().acknowledgment, client_.next() + 1);
  client_.send_raw({.sequence = client_.next() + 1, .acknowledgment = client_.ack(), .flags = kTcpAck});
  EXPECT_EQ(guest_.tcp.time_wait_count(), 1U);
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
}

TEST_F(TcpTest, half_close_still_gets_the_answer) {
  client_.connect();
  client_.send(kFinAck, kGet);
  const TestSegment answer = client_.take();
  EXPECT_EQ(answer.payload.substr(0, 12), "HTTP/1.1 200");
  EXPECT_NE(answer.flags & kTcpFin, 0);
  client_.send(kTcpAck);
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
}

TEST_F(TcpTest, a_lost_syn_ack_is_sent_again_on_the_clock_and_on_a_second_syn) {
  const TestSegment syn = {.sequence = 7, .flags = kTcpSyn};
  client_.send_raw(syn);
  const TestSegment first = client_.take();
  client_.send_raw(syn);
  EXPECT_EQ(client_.take().sequence, first.sequence);
  guest_.advance(kFirstTimeoutUs + 20'000);
  EXPECT_EQ(client_.take().sequence, first.sequence);
  // Nobody answers: the entry is given up.
  for (int i = 0; i < 100; ++i) guest_.advance(1'000'000);
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
}

TEST_F(TcpTest, a_duplicate_syn_on_an_open_connection_is_challenged) {
  client_.connect();
  client_.send_raw({.sequence = 1000, .flags = kTcpSyn});
  const TestSegment answer = client_.take();
  EXPECT_EQ(answer.flags, kTcpAck);
  EXPECT_EQ(answer.acknowledgment, client_.next());
  EXPECT_EQ(guest_.tcp.open_count(), 1U);
}

TEST_F(TcpTest, a_client_that_forgot_the_connection_gets_a_new_one) {
  client_.connect();
  const uint32_t expected = client_.next();
  client_.send_raw({.sequence = 900'000, .flags = kTcpSyn});
  const TestSegment challenge = client_.take();
  EXPECT_EQ(challenge.acknowledgment, expected);
  // RFC 5961 4.2: the client resets with exactly that number, and its SYN comes again.
  client_.send_raw({.sequence = challenge.acknowledgment, .flags = kTcpRst});
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
  client_.send_raw({.sequence = 900'000, .flags = kTcpSyn});
  EXPECT_EQ(client_.take().flags, kSynAck);
}

TEST_F(TcpTest, a_new_syn_ends_time_wait_and_an_old_one_does_not) {
  client_.connect();
  client_.send(kTcpAck, kGetClose);
  static_cast<void>(client_.take());
  const uint32_t old_ack = client_.ack();
  client_.send(kFinAck);
  static_cast<void>(client_.take());
  ASSERT_EQ(guest_.tcp.time_wait_count(), 1U);

  client_.send_raw({.sequence = client_.next() - 100, .flags = kTcpSyn});
  EXPECT_EQ(client_.take().flags, kTcpAck);
  EXPECT_EQ(guest_.tcp.time_wait_count(), 1U);
  client_.send_raw({.sequence = client_.next() + 64'000, .flags = kTcpSyn});
  const TestSegment answer = client_.take();
  EXPECT_EQ(answer.flags, kSynAck);
  EXPECT_TRUE(seq_after(answer.sequence, old_ack));
  EXPECT_EQ(guest_.tcp.time_wait_count(), 0U);
  EXPECT_EQ(guest_.tcp.open_count(), 1U);
}

TEST_F(TcpTest, only_the_exact_reset_is_believed) {
  client_.connect();
  client_.send_raw({.sequence = client_.next() - 1, .flags = kTcpRst});  // outside: dropped
  client_.expect_silence();
  client_.send_raw({.sequence = client_.next() + 5000, .flags = kTcpRst});
  client_.expect_silence();
  client_.send_raw({.sequence = client_.next() + 10, .flags = kTcpRst});  // inside: challenged
  EXPECT_EQ(client_.take().flags, kTcpAck);
  EXPECT_EQ(guest_.tcp.open_count(), 1U);
  client_.send_raw({.sequence = client_.next(), .flags = kTcpRst});
  client_.expect_silence();
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
}

TEST_F(TcpTest, challenges_are_limited_per_second) {
  client_.connect();
  for (int i = 0; i < 500; ++i) client_.send_raw({.sequence = client_.next() + 10, .flags = kTcpRst});
  EXPECT_EQ(guest_.port.sent.size(), kChallengeAcksMax);
}

TEST_F(TcpTest, segments_of_no_connection_are_reset) {
  client_.send_raw({.sequence = 5, .acknowledgment = 77, .flags = kTcpAck, .payload = "x"});
  TestSegment answer = client_.take();
  EXPECT_EQ(answer.flags, kTcpRst);
  EXPECT_EQ(answer.sequence, 77U);
  client_.send_raw({.sequence = 5, .flags = kTcpSyn, .payload = "abc", .guest_port = 81});
  answer = client_.take();
  EXPECT_EQ(answer.flags, kTcpRst | kTcpAck);
  EXPECT_EQ(answer.guest_port, 81);
  EXPECT_EQ(answer.acknowledgment, 9U);
  client_.send_raw({.sequence = 5, .flags = kTcpRst});
  client_.expect_silence();
}

TEST_F(TcpTest, before_the_listen_delay_a_syn_is_reset) {
  Guest late({.listen_from_us = 2'000'000});
  Client client(late, 40000, 1);
  client.send_raw({.sequence = 5, .flags = kTcpSyn});
  EXPECT_EQ(client.take().flags, kTcpRst | kTcpAck);
  late.advance_to(2'000'000);
  client.send_raw({.sequence = 5, .flags = kTcpSyn});
  EXPECT_EQ(client.take().flags, kSynAck);
}

TEST_F(TcpTest, a_full_table_drops_syns_and_counts_them) {
  for (uint16_t port = 1; port <= 4; ++port) {
    Client client(guest_, port, 1);
    client.connect();
  }
  client_.send_raw({.sequence = 5, .flags = kTcpSyn});
  client_.expect_silence();
  EXPECT_EQ(guest_.counters.table_full, 1U);
  EXPECT_EQ(guest_.tcp.open_count(), 4U);
}

TEST_F(TcpTest, a_full_table_gives_up_time_wait_first) {
  for (uint16_t port = 1; port <= 4; ++port) {
    Client client(guest_, port, 1);
    client.connect();
    client.send(kTcpAck, kGetClose);
    static_cast<void>(client.take());
    client.send(kFinAck);
    static_cast<void>(client.take());
  }
  EXPECT_EQ(guest_.tcp.time_wait_count(), 4U);
  client_.connect();
  EXPECT_EQ(guest_.tcp.time_wait_count(), 3U);
}

TEST_F(TcpTest, a_wrong_ack_in_the_handshake_is_reset) {
  client_.send_raw({.sequence = 5, .flags = kTcpSyn});
  const TestSegment answer = client_.take();
  client_.send_raw({.sequence = 6, .acknowledgment = answer.sequence + 2, .flags = kTcpAck});
  const TestSegment reset = client_.take();
  EXPECT_EQ(reset.flags, kTcpRst);
  EXPECT_EQ(reset.sequence, answer.sequence + 2);
}

TEST_F(TcpTest, an_ack_of_what_was_never_sent_is_challenged) {
  client_.connect();
  client_.send_raw({.sequence = client_.next(), .acknowledgment = client_.ack() + 1, .flags = kTcpAck});
  EXPECT_EQ(client_.take().acknowledgment, client_.next());
}

}  // namespace
}  // namespace cheshire::grin::test
