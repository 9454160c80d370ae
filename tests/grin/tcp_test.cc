// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One connection at a time, segment by segment: what RFC 9293 and RFC 5961 ask for.

#include "unikernel/tcp.h"

#include <gtest/gtest.h>

#include <string>

#include "guest.h"

namespace grin::test {
namespace {

constexpr std::uint8_t kSynAck = kTcpSyn | kTcpAck;
constexpr std::uint8_t kFinAck = kTcpFin | kTcpAck;
const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kGetClose = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

// The client's half of a connection: it keeps the numbers and sends what the test says.
class Client {
 public:
  Client(Guest& guest, std::uint16_t port, std::uint32_t sequence)
      : guest_(guest), port_(port), next_(sequence) {}

  void send(std::uint8_t flags, const std::string& payload = {}) {
    send_raw(
        {.sequence = next_, .acknowledgment = ack_, .flags = flags, .window = window, .payload = payload});
    next_ += static_cast<std::uint32_t>(payload.size());
    if ((flags & (kTcpSyn | kTcpFin)) != 0) ++next_;
  }
  void send_raw(TestSegment segment) {
    segment.port = port_;
    guest_.receive(to_guest(segment));
  }
  // The oldest segment that the guest has sent; acknowledges nothing by itself.
  TestSegment take() {
    if (guest_.port.sent.empty()) {
      ADD_FAILURE() << "the guest sent nothing";
      return {};
    }
    const TestSegment segment = from_guest(guest_.port.sent.front());
    guest_.port.sent.pop_front();
    const auto size = static_cast<std::uint32_t>(segment.payload.size()) +
                      ((segment.flags & (kTcpSyn | kTcpFin)) != 0 ? 1U : 0U);
    if (size != 0 && (segment.sequence == ack_ || (segment.flags & kTcpSyn) != 0))
      ack_ = segment.sequence + size;
    return segment;
  }
  void expect_silence() { EXPECT_TRUE(guest_.port.sent.empty()); }

  void connect() {
    send_raw({.sequence = next_++, .flags = kTcpSyn, .window = window, .max_segment = 1460});
    const TestSegment answer = take();
    EXPECT_EQ(answer.flags, kSynAck);
    EXPECT_EQ(answer.acknowledgment, next_);
    EXPECT_EQ(answer.max_segment, 1460);
    send(kTcpAck);
    expect_silence();
  }

  [[nodiscard]] std::uint32_t next() const { return next_; }
  [[nodiscard]] std::uint32_t ack() const { return ack_; }
  std::uint16_t window = 65535;

 private:
  Guest& guest_;
  std::uint16_t port_;
  std::uint32_t next_;
  std::uint32_t ack_ = 0;
};

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
  guest_.advance(kTimeWait_us);
  EXPECT_EQ(guest_.tcp.time_wait_count(), 0U);
}

TEST_F(TcpTest, both_close_at_once) {
  client_.connect();
  client_.send(kTcpAck, kGetClose);
  const std::uint32_t before_answer = client_.ack();
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
  guest_.advance(kFirstTimeout_us + 20'000);
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
  const std::uint32_t expected = client_.next();
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
  const std::uint32_t old_ack = client_.ack();
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
  EXPECT_EQ(guest_.port.sent.size(), kMaxChallengeAcks);
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
  for (std::uint16_t port = 1; port <= 4; ++port) {
    Client client(guest_, port, 1);
    client.connect();
  }
  client_.send_raw({.sequence = 5, .flags = kTcpSyn});
  client_.expect_silence();
  EXPECT_EQ(guest_.counters.table_full, 1U);
  EXPECT_EQ(guest_.tcp.open_count(), 4U);
}

TEST_F(TcpTest, a_full_table_gives_up_time_wait_first) {
  for (std::uint16_t port = 1; port <= 4; ++port) {
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

TEST_F(TcpTest, out_of_order_data_is_asked_for_again_and_overlap_is_cut) {
  client_.connect();
  const std::uint32_t start = client_.next();
  const std::uint32_t ack = client_.ack();
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

TEST_F(TcpTest, a_keep_alive_probe_is_answered) {
  client_.connect();
  client_.send_raw({.sequence = client_.next() - 1, .acknowledgment = client_.ack(), .flags = kTcpAck});
  EXPECT_EQ(client_.take().acknowledgment, client_.next());
}

TEST_F(TcpTest, an_answer_is_sent_again_until_it_is_acknowledged_or_given_up) {
  client_.connect();
  client_.send(kTcpAck, kGet);
  const TestSegment answer = client_.take();
  guest_.advance(kMinTimeout_us - 1000);
  client_.expect_silence();
  guest_.advance(20'000);
  EXPECT_EQ(client_.take().payload, answer.payload);
  guest_.advance(kMinTimeout_us + 20'000);
  client_.expect_silence();  // backed off
  guest_.advance(kMinTimeout_us);
  EXPECT_EQ(client_.take().payload, answer.payload);
  EXPECT_EQ(guest_.counters.retransmits, 2U);
  for (int i = 0; i < 400; ++i) guest_.advance(1'000'000);
  EXPECT_EQ(guest_.tcp.open_count(), 0U);
  EXPECT_EQ(from_guest(guest_.port.sent.back()).flags, kTcpRst);
}

TEST_F(TcpTest, an_idle_connection_is_closed_after_a_minute) {
  client_.connect();
  guest_.advance(kIdle_us - 20'000);
  client_.expect_silence();
  guest_.advance(40'000);
  EXPECT_EQ(client_.take().flags, kFinAck);
  client_.send(kTcpAck);
  EXPECT_EQ(guest_.tcp.open_count(), 1U);  // FIN-WAIT-2
  guest_.advance(kFinWait2_us + 20'000);
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
  const std::uint32_t next = client_.ack();
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
  EXPECT_EQ(client.take().window, kReceiveBuffer_bytes);
  client.send(kTcpAck, padded);
  EXPECT_EQ(client.take().window, kReceiveBuffer_bytes - padded.size());
  client.send(kTcpAck, kGetClose);
  EXPECT_EQ(client.take().window, kReceiveBuffer_bytes - padded.size() - kGetClose.size());
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
  for (std::uint16_t port = 1; port <= 40; ++port) {
    Client client(guest, port, 1);
    client.connect();
    client.send(kTcpAck, "GET /stats HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_EQ(client.take().payload.substr(0, 12), "HTTP/1.1 200");
    client.send_raw({.sequence = client.next(), .flags = kTcpRst});
  }
}

TEST(TcpWork, more_stats_pages_than_slots_are_refused) {
  Guest guest({});
  for (std::uint16_t port = 1; port <= 9; ++port) {
    Client client(guest, port, 1);
    client.connect();
    client.send(kTcpAck, "GET /stats HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(client.take().payload.substr(0, 12), port <= 8 ? "HTTP/1.1 200" : "HTTP/1.1 503");
  }
}

}  // namespace
}  // namespace grin::test
