// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From an Ethernet frame to whom it is for: ARP for our address, ICMP echo, TCP. Every length is checked here
// or in parse_segment(); what fails a check is counted and forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/counters.h"
#include "unikernel/frame_port.h"
#include "unikernel/tcp.h"
#include "unikernel/wire.h"

namespace cheshire::grin {

class Ip {
 public:
  struct Options {
    FramePort* frames;
    Tcp* tcp;
    Counters* counters;
    MacAddress mac;
    uint32_t ip;
  };
  void init(const Options& options) { options_ = options; }

  void input(std::span<const std::byte> frame);

 private:
  using Bytes = std::span<const std::byte>;

  // All return false for what counts as a bad frame.
  [[nodiscard]] bool input_frame(Bytes frame);
  [[nodiscard]] bool input_arp(Bytes packet);
  [[nodiscard]] bool input_ipv4(Bytes packet, const MacAddress& source_mac);
  [[nodiscard]] bool input_icmp(Bytes message, const Ipv4Header& request, const MacAddress& source_mac);
  [[nodiscard]] bool input_tcp(Bytes message, const Ipv4Header& header, const MacAddress& source_mac);

  Options options_ = {};
};

}  // namespace cheshire::grin
