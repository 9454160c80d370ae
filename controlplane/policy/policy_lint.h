// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Does a set of policies come to rest under a constant load? Tried out, load by load, when a config is
// checked: a service that would swing forever is better told of before than after.
//
// The load of a metric is counted in full instances: for cpu 1000 millicores, else the largest number that a
// policy on that metric names (its target, its highest bound), for in_flight also in_flight.soft. Loads from
// 0.05 to 0.1 below instances.max are tried in steps of 0.05, with all instances alike, always warm, and
// paces never in the way: each metric by itself, the others unknown.
//
// The projection guard keeps a service at rest that would swing without it, at a size that its operator did
// not write down. So the check looks at both: swings without the guard are worth a warning that names them;
// swings with it would be an error of the guard.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config.h"
#include "controlplane/policy/policy.h"

namespace cheshire {

struct Oscillation {
  Metric metric = Metric::kCpu;
  uint32_t load_percent = 0;    // of one full instance
  std::vector<uint32_t> sizes;  // that it goes through again and again, in this order
};

inline constexpr uint32_t kSweepStepPercent = 5;
inline constexpr uint32_t kSweepSizeMax = 64;  // instances.max above it is swept as if it were this

// Every load at which the service does not come to rest, by metric and then by load.
[[nodiscard]] std::vector<Oscillation> lint_policies(const ServiceConfig& rules, Guard guard);

// One line for a person: "cpu: 50 of 158 constant loads, the first 0.60 instances: 1, 2, 1, …". Empty for
// none.
[[nodiscard]] std::string describe_oscillations(const ServiceConfig& rules,
                                                const std::vector<Oscillation>& found);

// What whoever wrote the policies is to be told; empty: they come to rest under every load.
[[nodiscard]] std::string swing_warning(const ServiceConfig& rules);

}  // namespace cheshire
