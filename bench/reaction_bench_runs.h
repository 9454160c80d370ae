// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The measurements of reaction_bench. Each takes a few seconds at most and starts what it needs itself.
#pragma once

#include <cstdint>

namespace cheshire::bench {

struct ReactionOptions {
  unsigned samples = 300;
  bool naps = true;        // as with control.tick 1 ms and the bell; false: control.tick 0
  unsigned reporting = 0;  // instances that send a record every millisecond meanwhile
};
struct Reaction {
  double p50_us = 0;
  double p99_us = 0;
  double bell_p50_us = 0;  // time that the worker spends on telling an edge
  double cpu_percent = 0;  // of the control thread
};
[[nodiscard]] Reaction measure_reaction(const ReactionOptions& options);

// The floor of a reaction: from ringing the bell until a thread runs that slept as the control thread does and has
// nothing else to do. The kernel's part of the reaction of a thread that naps, with what the machine takes away from
// both meanwhile.
struct Wake {
  double p50_us = 0;
  double p99_us = 0;
};
[[nodiscard]] Wake measure_wake(unsigned samples);

// What the worker does per burst beyond moving it: the statements of Egress::flush_slot(), Egress::queue_to_guest()
// and LoadReport::tell() in a loop of their own, less the same loop without them. And, in turns with it, what it costs to copy
// the 64 bytes of each packet once. In cycles a packet.
struct Counting {
  double cycles = 0;
  double copy_cycles = 0;
};
[[nodiscard]] Counting measure_counting();

struct Records {
  // That the control loop takes and looks after, where every one of 1,000 services × 8 instances is touched.
  double million_per_s = 0;
  double touched_per_10us = 0;  // that rate at a publication interval of 10 us
  double all_interval_us = 0;   // … and the interval at which it suffices for all instances
  double quiet_round_us = 0;    // a round with no record: 64 slots are looked at
  // The floor: the same records off the same ring, and nothing done about them, in turns.
  double bare_million_per_s = 0;
};
[[nodiscard]] Records measure_records();

struct Jump {
  uint32_t target = 0;  // decisions from 1 to 16
  uint32_t steps = 0;
};
[[nodiscard]] Jump measure_jump();

}  // namespace cheshire::bench
