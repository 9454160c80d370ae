// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A decision in words, for logs, telemetry and `cheshire trace`. Pure; any thread.
#pragma once

#include <string>

#include "config.h"
#include "controlplane/policy/policy.h"

namespace cheshire {

// A metric's value with a unit that fits: "812 millicores", "1.25 ms", "3200 flows/s".
[[nodiscard]] std::string metric_text(Metric metric, int64_t value);

// "1 -> 16: target load, in_flight 160 in all, 10 each"; "2 -> 2: step quiet 1 (:500/-50%), cpu 300
// millicores, held back by guard". `rules`: those of the decision. At most kDecisionWordsMax bytes.
inline constexpr size_t kDecisionWordsMax = 127;
[[nodiscard]] std::string describe_decision(const ServiceView& view, const Decision& decision,
                                            const ServiceConfig& rules);

// ", cpu 300 millicores"; empty where the metric is unknown.
[[nodiscard]] std::string seen_text(const ServiceView& view, Metric metric);

// As a config has it: "600:800/50", and "600:800" of it.
[[nodiscard]] std::string format_step(const StepRange& step);
[[nodiscard]] std::string format_range(const StepRange& step);

}  // namespace cheshire
