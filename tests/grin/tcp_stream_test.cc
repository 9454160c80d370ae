// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Data on an open connection: order, windows, retransmission, a full transmit ring, and the work model behind
// it.

#include "unikernel/tcp.h"

#include <gtest/gtest.h>

#include <string>

#include "guest.h"
#include "test_client.h"

namespace cheshire::grin::test {
namespace {

class StreamTest : public testing::Test {
 protected:
  Guest guest_{{.capacity = 4}};
  Client client_{guest_, 40000, 1000};
};

TEST_F(StreamTest, out_of_order_data_is_asked_for_again_and_overlap_is_cut) {
  client_.connect();
  const uint32_t start = client_.next();
  const uint32_t ack = client_.ack();
  client_.send_raw(
      {.sequence = start + 10, .acknowledgment = ack, .flags = kTcpAck, .payload = kGet.substr(10)});
  EXPECT_EQ(client_.take().acknowledgment, start);
  client_.send_raw(
      {.sequence = start, .acknowledgment = ack, .flags = kTcpAck, .payload = kGet.substr(0, 15)});
  EXPECT_EQ(client_.take().acknowledgment, start + 15);
  client_.send_raw(
      {.sequence = start + 10, .acknowledgment = ack, .flags = kTcpAck, .payload = kGet.substr(10)});
  EXPECT_EQ(client_.take().payload.substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(guest_.counters.requests, 1U);
}

TEST_F(StreamTest, a_keep_alive_probe_is_answered) {
  client_.connect();
  client_.send_raw({.sequence = client_.next() - 1, .acknowledgment = client_.ack(), .flags = kTcpAck});
  EXPECT_EQ(client_.take().acknowledgment, client_.next());
}

TEST_F(StreamTest, an_answer_is_sent_again_until_it_is_acknowledged_or_given_up) {
  client_.connect();
  client_.send(kTcpAck, kGet);
  const TestSegment answer = client_.take();
  guest_.advance(kTimeoutMinUs - 1000);
  client_.expect_silence();
  guest_.advance(20'000);
  EXPECT_EQ(client_.take().payload, answer.payload);
  guest_.advance(kTimeoutMinUs + 20'000);
  client_.expect_silence();  // backed off
  guest_.advance(kTimeoutMinUs);
  EXPECT_EQ(client_.take().payload, answer.payload);
  EXPECT_EQ(guest_.counters.retransmits, 2U);
  for (int i = 0; i < 400; ++i) guest_.advance(1'000'000);
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
  EXPECT_EQ(from_guest(guest_.port.sent.back()).flags, kTcpRst);
}

TEST_F(StreamTest, an_idle_connection_is_closed_after_a_minute) {
  client_.connect();
  guest_.advance(kIdleUs - 20'000);
  client_.expect_silence();
  guest_.advance(40'000);
  EXPECT_EQ(client_.take().flags, kFinAck);
  client_.send(kTcpAck);
  EXPECT_EQ(guest_.tcp.open_count(), 1U);  // FIN-WAIT-2
  guest_.advance(kFinWait2Us + 20'000);
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
}

class BigBodyTest : public testing::Test {
 protected:
  Guest guest_{{.body_size_bytes = 100'000}};
  Client client_{guest_, 40000, 1000};
};

TEST_F(BigBodyTest, three_duplicate_acks_bring_the_missing_segment_at_once) {
  client_.connect();
  client_.send(kTcpAck, kGet);
  ASSERT_EQ(guest_.port.sent.size(), 10U);  // initial window
  const TestSegment lost = from_guest(guest_.port.sent.front());
  guest_.port.sent.clear();
  for (int i = 0; i < 2; ++i) client_.send(kTcpAck);
  client_.expect_silence();
  client_.send(kTcpAck);
  const TestSegment again = from_guest(guest_.port.sent.front());
  EXPECT_EQ(again.sequence, lost.sequence);
  EXPECT_EQ(again.payload, lost.payload);
}

TEST_F(BigBodyTest, a_closed_window_is_probed_and_its_opening_continues_the_stream) {
  client_.connect();
  client_.window = 1000;
  client_.send(kTcpAck, kGet);
  EXPECT_EQ(client_.take().payload.size(), 1000U);
  client_.expect_silence();
  client_.window = 0;
  client_.send(kTcpAck);
  client_.expect_silence();
  const uint32_t next = client_.ack();
  for (int i = 0; i < 3; ++i) {
    guest_.advance(guest_.next_deadline_us() - guest_.now_us + 1'000'000 * (1U << i));
    ASSERT_FALSE(guest_.port.sent.empty());
    const TestSegment probe = from_guest(guest_.port.sent.front());
    guest_.port.sent.clear();
    EXPECT_EQ(probe.sequence, next);
    EXPECT_EQ(probe.payload.size(), 1U);
    client_.send_raw({.sequence = client_.next(), .acknowledgment = next, .flags = kTcpAck, .window = 0});
    client_.expect_silence();
  }
  client_.send_raw({.sequence = client_.next(), .acknowledgment = next, .flags = kTcpAck, .window = 3000});
  const TestSegment first = client_.take();
  EXPECT_EQ(first.sequence, next);
  EXPECT_EQ(first.payload.size(), 1460U);
}

TEST_F(BigBodyTest, the_clients_segment_size_is_respected) {
  client_.send_raw({.sequence = 1000, .flags = kTcpSyn, .max_segment = 300});
  const TestSegment syn_ack = client_.take();
  client_.send_raw(
      {.sequence = 1001, .acknowledgment = syn_ack.sequence + 1, .flags = kTcpAck, .payload = kGet});
  ASSERT_EQ(guest_.port.sent.size(), 10U);
  while (!guest_.port.sent.empty()) EXPECT_EQ(client_.take().payload.size(), 300U);
}

TEST_F(BigBodyTest, a_full_transmit_ring_delays_but_loses_nothing) {
  client_.connect();
  guest_.port.room = 3;
  client_.send(kTcpAck, kGet);
  std::string stream;
  while (stream.size() < 10 * 1460) {
    ASSERT_EQ(guest_.port.sent.size(), guest_.tcp.has_pending() ? 3U : 1U);
    while (!guest_.port.sent.empty()) stream += client_.take().payload;
    guest_.advance(10);
  }
  EXPECT_EQ(guest_.counters.retransmits, 0U);
  EXPECT_FALSE(guest_.tcp.has_pending());
}

TEST(TcpWork, pipelined_requests_are_answered_in_order_and_the_window_closes_meanwhile) {
  Guest guest({.service_us = 10'000, .worker_count = 1});
  Client client(guest, 40000, 1);
  client.connect();
  const std::string padded = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1350, 'x') + "\r\n\r\n";
  client.send(kTcpAck, padded);
  EXPECT_EQ(client.take().window, kReceiveBufferBytes);
  client.send(kTcpAck, padded);
  EXPECT_EQ(client.take().window, kReceiveBufferBytes - padded.size());
  client.send(kTcpAck, kGetClose);
  EXPECT_EQ(client.take().window, kReceiveBufferBytes - padded.size() - kGetClose.size());
  for (int i = 0; i < 3; ++i) {
    guest.advance(9'999);
    client.expect_silence();
    guest.advance(1);
    const TestSegment answer = client.take();
    EXPECT_EQ(answer.payload.substr(0, 12), "HTTP/1.1 200");
    EXPECT_EQ((answer.flags & kTcpFin) != 0, i == 2);
    client.send(kTcpAck);
  }
  EXPECT_EQ(guest.counters.requests, 3U);
}

TEST(TcpWork, a_reset_takes_a_waiting_request_out_of_the_queue) {
  Guest guest({.service_us = 10'000, .worker_count = 1});
  Client first(guest, 1, 1);
  Client second(guest, 2, 1);
  first.connect();
  second.connect();
  first.send(kTcpAck, kGet);
  second.send(kTcpAck, kGet);
  EXPECT_EQ(guest.http.work().waiting_count(), 1U);
  second.send_raw({.sequence = second.next(), .flags = kTcpRst});
  EXPECT_EQ(guest.http.work().waiting_count(), 0U);
  guest.port.sent.clear();
  guest.advance(10'000);
  EXPECT_EQ(guest.port.sent.size(), 1U);
}

TEST(TcpWork, health_and_stats_do_not_wait) {
  Guest guest({.service_us = 1'000'000, .worker_count = 1});
  Client busy(guest, 1, 1);
  busy.connect();
  busy.send(kTcpAck, kGet);
  static_cast<void>(busy.take());
  Client client(guest, 2, 1);
  client.connect();
  client.send(kTcpAck, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(client.take().payload.find("\r\n\r\nok\n"), std::string::npos);
  client.send(kTcpAck, "GET /stats HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string stats = client.take().payload;
  EXPECT_NE(stats.find("\nrequests 3\n"), std::string::npos) << stats;
  EXPECT_NE(stats.find("\nconnections 2\n"), std::string::npos) << stats;
  EXPECT_NE(stats.find("\nrunning 1\n"), std::string::npos) << stats;
}

TEST(TcpWork, stats_pages_are_given_back_when_connections_go) {
  Guest guest({});
  for (uint16_t port = 1; port <= 40; ++port) {
    Client client(guest, port, 1);
    client.connect();
    client.send(kTcpAck, "GET /stats HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_EQ(client.take().payload.substr(0, 12), "HTTP/1.1 200");
    client.send_raw({.sequence = client.next(), .flags = kTcpRst});
  }
}

TEST(TcpWork, more_stats_pages_than_slots_are_refused) {
  Guest guest({});
  for (uint16_t port = 1; port <= 9; ++port) {
    Client client(guest, port, 1);
    client.connect();
    client.send(kTcpAck, "GET /stats HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(client.take().payload.substr(0, 12), port <= 8 ? "HTTP/1.1 200" : "HTTP/1.1 503");
  }
}

}  // namespace
}  // namespace cheshire::grin::test
