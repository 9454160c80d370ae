// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// grin's protocol stack without its machine: frames in, frames out, and a clock that the test turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unikernel/http_server.h"
#include "unikernel/ip.h"
#include "unikernel/tcp.h"

namespace cheshire::grin::test {

inline constexpr uint32_t kGuestIp = 0x0a00'0002;
inline constexpr uint32_t kClientIp = 0x0a00'0001;
inline constexpr uint16_t kGuestPort = 8080;
inline constexpr MacAddress kGuestMac{{2, 0, 0, 0, 0, 2}};
inline constexpr MacAddress kClientMac{{2, 0, 0, 0, 0, 1}};

using Frame = std::vector<std::byte>;

// Collects what the stack sends; `room` frames fit until the test takes them.
class FakePort final : public FramePort {
 public:
  [[nodiscard]] std::span<std::byte> next_frame() override;
  void send(size_t size_bytes) override;

  std::deque<Frame> sent;
  size_t room = 1'000'000;

 private:
  Frame buffer_ = Frame(kFrameBytesMax);
};

struct GuestOptions {
  size_t capacity = 64;
  uint32_t body_size_bytes = 0;
  uint32_t service_us = 0;
  uint32_t worker_count = 8;
  uint64_t listen_from_us = 0;
};

class Guest {
 public:
  explicit Guest(const GuestOptions& options);
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  // One turn of the main loop with this frame; the copy lies in memory of exactly its size, for the
  // sanitizer.
  void receive(std::span<const std::byte> frame);
  // A turn without a frame, at a later time.
  void advance_to(uint64_t now_us);
  void advance(uint64_t delta_us) { advance_to(now_us + delta_us); }
  [[nodiscard]] uint64_t next_deadline_us() const;

  FakePort port;
  Counters counters;
  Tcp tcp;
  HttpServer http;
  Ip ip;
  uint64_t now_us = 1'000'000;

 private:
  void turn();
  struct AlignedFree {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte[], AlignedFree> memory_;
};

// A TCP segment as the client side of a test writes and reads it.
struct TestSegment {
  uint16_t port = 40000;  // the client's
  uint32_t sequence = 0;
  uint32_t acknowledgment = 0;
  uint8_t flags = 0;
  uint16_t window = 65535;
  uint16_t max_segment = 0;  // 0: no option
  std::string payload = {};
  uint16_t guest_port = kGuestPort;
};

[[nodiscard]] Frame to_guest(const TestSegment& segment);
// Checks both checksums and all lengths, and fails the test if one is wrong.
[[nodiscard]] TestSegment from_guest(const Frame& frame);
// Recomputes the TCP and IP checksums of a frame that a test has damaged elsewhere.
void fix_checksums(Frame& frame);

}  // namespace cheshire::grin::test
