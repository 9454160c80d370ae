// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Scaling policies as text, the same in the config file and in commands. Pure functions, any thread; every
// parser takes outside bytes of any kind, and an Error's sentence says what to write instead.
//
// A step is LOWER:UPPER/ADJUSTMENT, in the compact form of Unikraft Cloud's command line:
//
//   600:800/50   from 600 up to, not including, 800: by +50 (percent, instances, or to that size)
//   800:/100     from 800 on
//   :50/-50      below 50
//
// Bounds are whole numbers of the metric's unit; those of queue_delay and handshake_time are nanoseconds, or
// carry a unit: 200us:1ms/50. The steps of one policy are sorted by their lower bound, may be four at the
// most, must follow each other without a gap or an overlap, and only the first may be open below and only the
// last open above.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/decision_words.h"
#include "policy_config.h"
#include "result.h"

namespace cheshire {

[[nodiscard]] Result<StepRange> parse_step(std::string_view text, Metric metric);

// A whole number above 0 of the metric's unit, or a duration for the two delays.
[[nodiscard]] Result<int64_t> parse_target(std::string_view text, Metric metric);

[[nodiscard]] Result<Metric> parse_metric(std::string_view text);
[[nodiscard]] Result<PolicyKind> parse_policy_kind(std::string_view text);
// The aliases too.
[[nodiscard]] Result<Adjustment> parse_adjustment(std::string_view text);

// Sorted, or what is wrong with them together.
[[nodiscard]] Result<std::vector<StepRange>> order_steps(std::vector<StepRange> steps);

// Whether a step's adjustment makes sense for its kind: no percentage below -100, no negative size.
[[nodiscard]] Result<void> check_adjustment(const StepRange& step, Adjustment adjustment);

// 1 to 32 of letters, digits, hyphen and underscore.
[[nodiscard]] bool is_policy_name(std::string_view text);

// What holds over all policies of a service: their number, no name twice, warmup and cooldown not below what
// step and target need.
struct PolicyPaces {
  uint64_t warmup_ns = 0;
  uint64_t cooldown_ns = 0;
};
[[nodiscard]] Result<void> check_policies(std::span<const PolicyConfig> policies, PolicyPaces paces);
}  // namespace cheshire
