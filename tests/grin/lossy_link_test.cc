// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// grin against a reference client over a link that loses, delays, reorders and duplicates: seeded, so a
// failure can be run again. Whatever the link does, the client must read exactly the bytes that it reads over
// a perfect one, both sides must close, and nothing may stay behind in the tables.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "guest.h"

namespace cheshire::grin::test {
namespace {

constexpr uint64_t kClientTimeoutUs = 300'000;

// A small client: sends `request` and then FIN, retransmits go-back-N on a fixed timer, reassembles what
// comes.
class ReferenceClient {
 public:
  ReferenceClient(uint16_t port, std::string request) : port_(port), request_(std::move(request)) {}

  // Segments to send now.
  std::vector<TestSegment> poll(uint64_t now_us) {
    if (now_us < next_send_us_ || done()) return {};
    next_send_us_ = now_us + kClientTimeoutUs;
    if (!connected_) return {{.port = port_, .sequence = kFirst, .flags = kTcpSyn, .max_segment = 1460}};
    std::vector<TestSegment> segments;
    const size_t acked = acked_ - kFirst - 1;
    for (size_t at = acked; at < request_.size() && at < acked + guest_window_; at += kPiece) {
      segments.push_back(segment(at, request_.substr(at, kPiece), 0));
      sent_ = std::max(sent_, at + segments.back().payload.size());
    }
    // The FIN waits for the guest's, as that of a client which reads to the end.
    if (guest_fin_ && acked >= request_.size()) {
      segments.push_back(segment(request_.size(), {}, kTcpFin));
      sent_ = request_.size() + 1;
    }
    return segments;
  }

  // Returns the acknowledgment to send, if any.
  std::vector<TestSegment> receive(const TestSegment& s) {
    // TIME-WAIT is short here: a FIN that comes again late may meet nobody. By then all has been said.
    if ((s.flags & kTcpRst) != 0) (guest_fin_ ? closed_ : reset_) = true;
    if ((s.flags & kTcpSyn) != 0) {
      if (!connected_) {
        connected_ = true;
        receive_next_ = s.sequence + 1;
        acked_ = s.acknowledgment;
        next_send_us_ = 0;
      }
      return {segment(sent_, {}, 0)};
    }
    if (!connected_) return {};
    guest_window_ = s.window;
    if (seq_after(s.acknowledgment, acked_)) {
      acked_ = s.acknowledgment;
      next_send_us_ = 0;
    }
    if (s.payload.empty() && (s.flags & kTcpFin) == 0) return {};
    if (!seq_before(s.sequence, receive_next_)) pending_[s.sequence - receive_next_ + received_.size()] = s;
    take_pending();
    return {segment(sent_, {}, 0)};
  }

  [[nodiscard]] bool done() const { return reset_ || closed_ || (guest_fin_ && acked_ == fin_end()); }
  [[nodiscard]] bool was_reset() const { return reset_; }
  [[nodiscard]] const std::string& received() const { return received_; }

 private:
  static constexpr uint32_t kFirst = 0xffff'ff00;  // wraps soon
  static constexpr size_t kPiece = 100;

  [[nodiscard]] uint32_t fin_end() const { return kFirst + 2 + static_cast<uint32_t>(request_.size()); }
  [[nodiscard]] TestSegment segment(size_t offset, std::string payload, uint8_t flags) const {
    return {.port = port_,
            .sequence = kFirst + 1 + static_cast<uint32_t>(offset),
            .acknowledgment = receive_next_,
            .flags = static_cast<uint8_t>(kTcpAck | flags),
            .window = 20'000,
            .payload = std::move(payload)};
  }
  void take_pending() {
    for (auto it = pending_.begin(); it != pending_.end() && it->first <= received_.size();) {
      const TestSegment& s = it->second;
      const size_t known = received_.size() - it->first;
      if (known < s.payload.size()) {
        received_ += s.payload.substr(known);
        receive_next_ += static_cast<uint32_t>(s.payload.size() - known);
      }
      if ((s.flags & kTcpFin) != 0 && it->first + s.payload.size() == received_.size() && !guest_fin_) {
        guest_fin_ = true;
        ++receive_next_;
        next_send_us_ = 0;
      }
      it = pending_.erase(it);
    }
  }

  uint16_t port_;
  std::string request_;
  std::string received_;
  std::map<size_t, TestSegment> pending_;  // by offset in the stream
  uint64_t next_send_us_ = 0;
  uint32_t receive_next_ = 0;
  uint32_t acked_ = 0;
  size_t sent_ = 0;  // SND.NXT as an offset
  size_t guest_window_ = 1000;
  bool connected_ = false;
  bool guest_fin_ = false;
  bool closed_ = false;
  bool reset_ = false;
};

struct LinkOptions {
  uint64_t seed;
  double loss;
  uint64_t max_delay_us;
};

// Event-driven: jumps from delivery to deadline.
class Simulation {
 public:
  Simulation(Guest& guest, const LinkOptions& options)
      : guest_(guest), options_(options), random_(options.seed) {}

  // Returns what the client has read. Fails the test if it takes more than 10 simulated minutes.
  std::string run(ReferenceClient& client) {
    const uint64_t limit_us = guest_.now_us + 600'000'000;
    while (!client.done() && guest_.now_us < limit_us) {
      for (const TestSegment& segment : client.poll(guest_.now_us)) put(to_guest(segment), true);
      uint64_t next_us = std::min(guest_.next_deadline_us(), guest_.now_us + 10'000);
      if (!events_.empty()) next_us = std::min(next_us, events_.top().at_us);
      guest_.advance_to(std::max(next_us, guest_.now_us + 1));
      deliver(client);
      collect();
    }
    EXPECT_LT(guest_.now_us, limit_us) << "stuck";
    EXPECT_FALSE(client.was_reset());
    return client.received();
  }

  // What is still on the link arrives, and the guest's timers run out.
  void settle(ReferenceClient& client) {
    for (int i = 0; i < 3000; ++i) {
      guest_.advance(100'000);
      deliver(client);
      collect();
    }
  }

 private:
  struct Event {
    uint64_t at_us;
    uint64_t order;
    bool for_guest;
    Frame frame;
    bool operator<(const Event& other) const {
      return std::tie(other.at_us, other.order) < std::tie(at_us, order);
    }
  };
  void put(const Frame& frame, bool for_guest) {
    std::uniform_real_distribution<double> chance(0, 1);
    const int copies = chance(random_) < options_.loss ? 0 : (chance(random_) < options_.loss / 4 ? 2 : 1);
    for (int i = 0; i < copies; ++i) {
      const uint64_t delay_us = 50 + random_() % options_.max_delay_us;
      events_.push({guest_.now_us + delay_us, order_++, for_guest, frame});
    }
  }
  void deliver(ReferenceClient& client) {
    while (!events_.empty() && events_.top().at_us <= guest_.now_us) {
      const Event event = events_.top();
      events_.pop();
      if (event.for_guest) {
        guest_.receive(event.frame);
      } else {
        for (const TestSegment& answer : client.receive(from_guest(event.frame))) put(to_guest(answer), true);
      }
    }
  }
  void collect() {
    for (const Frame& frame : guest_.port.sent) put(frame, false);
    guest_.port.sent.clear();
  }

  Guest& guest_;
  LinkOptions options_;
  std::mt19937_64 random_;
  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
};

std::string requests(int count) {
  std::string text;
  for (int i = 1; i < count; ++i)
    text += "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(60, 'y') + "\r\n\r\n";
  return text + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
}

struct Scenario {
  const char* name;
  GuestOptions guest;
  int request_count;
};

class LossyLink : public testing::TestWithParam<Scenario> {};

TEST_P(LossyLink, the_client_reads_what_it_reads_over_a_perfect_link) {
  const Scenario& scenario = GetParam();
  std::string expected;
  {
    Guest guest(scenario.guest);
    ReferenceClient client(40000, requests(scenario.request_count));
    expected = Simulation(guest, {.seed = 1, .loss = 0, .max_delay_us = 1}).run(client);
    EXPECT_EQ(guest.counters.requests, static_cast<uint64_t>(scenario.request_count));
    EXPECT_EQ(guest.counters.retransmits, 0U);
  }
  EXPECT_GT(expected.size(), 100U);
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Guest guest(scenario.guest);
    const double loss = seed % 4 == 0 ? 0.2 : 0.1;
    Simulation simulation(guest, {.seed = seed, .loss = loss, .max_delay_us = 20'000});
    ReferenceClient client(40000, requests(scenario.request_count));
    ASSERT_TRUE(simulation.run(client) == expected) << scenario.name << ", seed " << seed;
    simulation.settle(client);
    ASSERT_EQ(guest.tcp.open_count() + guest.tcp.time_wait_count(), 0U) << "seed " << seed;
    ASSERT_EQ(guest.http.work().waiting_count() + guest.http.work().running_count(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, LossyLink,
    testing::Values(Scenario{"one_short", {}, 1}, Scenario{"many_short", {}, 30},
                    Scenario{"long_body", {.body_size_bytes = 200'000}, 2},
                    Scenario{"slow_service", {.service_us = 50'000, .worker_count = 1}, 12}),
    [](const testing::TestParamInfo<Scenario>& scenario) { return scenario.param.name; });

}  // namespace
}  // namespace cheshire::grin::test
