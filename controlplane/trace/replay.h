// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Runs the inputs of a trace through the policies again. Pure; any thread.
//
// The same rules (those in the trace) must give the same decisions, bit for bit: decide() has no other
// inputs.
//
// Other rules show what would have happened: each service keeps a size of its own, which its decisions change
// at once, and the recorded load is spread over it (a mean becomes total / size). What a record cannot know
// is left out: boots take no time, clients behave as they did, the load between two records is that of the
// first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config.h"
#include "controlplane/trace/trace_reader.h"

namespace cheshire {

struct ReplayedDecision {
  TraceDecision recorded;
  std::string service;
  // With the same rules: what decide() says to the recorded view. With others: to the view of `size`.
  uint32_t size = 0;
  Decision now;
};

struct Replay {
  std::vector<ReplayedDecision> decisions;
  uint64_t different = 0;      // decisions that are not the recorded ones
  uint64_t without_rules = 0;  // left out: no rules of that service in the trace, or in the other config
};

[[nodiscard]] Replay replay_same(const Trace& trace);
// Services are found by name.
[[nodiscard]] Replay replay_other(const Trace& trace, const std::vector<ServiceConfig>& services);

}  // namespace cheshire
