// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What grin counts; /stats prints it. One vCPU reads and writes it, so these are plain numbers.
#pragma once

#include <cstdint>

namespace cheshire::grin {

struct Counters {
  uint64_t requests = 0;      // answered with a page, errors not included
  uint64_t bad_requests = 0;  // answered with a 4xx or 5xx
  uint64_t opened = 0;        // connections that completed the handshake
  uint64_t retransmits = 0;   // segments sent more than once
  uint64_t bad_frames = 0;    // too short, wrong length, checksum, or not for us
  uint64_t out_of_order = 0;  // segments dropped because one before them is missing
  uint64_t table_full = 0;    // SYNs dropped
  uint64_t tx_full = 0;       // frames other than data not sent because the ring was full
  uint64_t resets_sent = 0;

  [[nodiscard]] uint64_t drops() const { return bad_frames + out_of_order + table_full + tx_full; }
};

}  // namespace cheshire::grin
