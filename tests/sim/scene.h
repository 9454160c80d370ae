// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What all players of one world share. One thread.
#pragma once

#include <cstdint>

#include "tests/sim/coverage.h"
#include "tests/sim/journal.h"
#include "tests/sim/plan.h"
#include "tests/sim/random.h"
#include "tests/sim/segment.h"

namespace cheshire::sim {

inline constexpr uint32_t kHonestNet = 0xc6336400;  // 198.51.100.0/24: the clients of the book
inline constexpr uint32_t kFloodNet = 0xcb007100;   // 203.0.113.0/24: nobody is there
[[nodiscard]] inline bool is_honest(uint32_t ip) {
  return (ip & 0xffffff00U) == kHonestNet;
}

struct Scene {
  Scene(uint64_t seed, bool tells, Coverage& coverage)
      : random(seed), journal(seed, tells), covered(coverage), plan(make_plan(seed, random)) {}

  [[nodiscard]] uint64_t now_ns() const { return journal.now_ns; }

  Random random;
  Journal journal;
  Coverage& covered;
  const Plan plan;
  Book book;
  bool calm = false;  // clients stop coming, and nothing goes wrong any more
  // Whatever may leave a client without an answer and is no fault of the code under test: a guest that is ill or is
  // killed, a worker that is late, a wire that loses. Counted, so that "since then" can be asked.
  uint64_t excuses = 0;
  // Packets of flows without an entry went by hash: which instance they go to is not promised any more.
  bool untracked = false;
  bool ring_full = false;       // a guest's ring was full: a SYN may be lost while its flow goes on
  bool port_went_down = false;  // in this moment: a good one for a worker to be late
};

}  // namespace cheshire::sim
