// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The client's half of one connection: it keeps the sequence numbers and sends what the test says.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "guest.h"

namespace cheshire::grin::test {

inline constexpr uint8_t kSynAck = kTcpSyn | kTcpAck;
inline constexpr uint8_t kFinAck = kTcpFin | kTcpAck;
inline const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
inline const std::string kGetClose = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

class Client {
 public:
  Client(Guest& guest, uint16_t port, uint32_t sequence) : guest_(guest), port_(port), next_(sequence) {}

  void send(uint8_t flags, const std::string& payload = {}) {
    send_raw(
        {.sequence = next_, .acknowledgment = ack_, .flags = flags, .window = window, .payload = payload});
    next_ += static_cast<uint32_t>(payload.size());
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
    const auto size = static_cast<uint32_t>(segment.payload.size()) +
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

  [[nodiscard]] uint32_t next() const { return next_; }
  [[nodiscard]] uint32_t ack() const { return ack_; }
  uint16_t window = 65535;

 private:
  Guest& guest_;
  uint16_t port_;
  uint32_t next_;
  uint32_t ack_ = 0;
};

}  // namespace cheshire::grin::test
