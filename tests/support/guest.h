// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A guest in memory: keeps what it was given, sends what the test tells it to send.
#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <utility>
#include <vector>

#include "dataplane/port/guest_port.h"
#include "tests/support/frame_builder.h"

namespace cheshire::test {

class Guest final : public GuestPort {
 public:
  void puts_on_ring(Bytes frame) { outgoing_.push_back(std::move(frame)); }
  // What it was given since the last call, in order.
  [[nodiscard]] std::vector<Bytes> takes_off_ring() { return std::exchange(incoming_, {}); }
  // How many buffers it has left in its receive ring; without a call, there is always one.
  void has_buffers(size_t count) { buffers_ = count; }
  [[nodiscard]] size_t packets_given() const { return packets_given_; }
  [[nodiscard]] size_t packets_sent() const { return packets_sent_; }
  // A guest whose port went down must not be touched any more.
  void is_gone() { gone_ = true; }
  [[nodiscard]] bool has_sent_all() const { return outgoing_.empty(); }

  [[nodiscard]] uint16_t to_guest(rte_mbuf** packets, uint16_t count) override;
  [[nodiscard]] uint16_t from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) override;

 private:
  size_t buffers_ = std::numeric_limits<size_t>::max();
  bool gone_ = false;
  std::deque<Bytes> outgoing_;
  std::vector<Bytes> incoming_;
  size_t packets_given_ = 0;
  size_t packets_sent_ = 0;
};

}  // namespace cheshire::test
