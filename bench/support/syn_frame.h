// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The one frame of a client that the boot benchmarks send, a SYN or the RST after it, to grin's default
// address 10.0.0.2:8080. Client `number` has a port of its own and begins at sequence number `number`.
#pragma once

#include <cstdint>
#include <span>

#include "net.h"

namespace cheshire {

struct SynFrame {
  EthernetHeader ethernet;
  Ipv4Header ip;
  TcpHeader tcp;
};
static_assert(sizeof(SynFrame) == 54);

[[nodiscard]] SynFrame frame_to_guest(uint64_t number, uint8_t flags);
// The SYN-ACK to that client's SYN.
[[nodiscard]] bool is_syn_ack(std::span<const uint8_t> packet, uint64_t number);

}  // namespace cheshire
