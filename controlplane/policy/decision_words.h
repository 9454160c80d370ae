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

// As it is written in a config: "600:800/50".
[[nodiscard]] std::string step_text(const StepRange& step);

}  // namespace cheshire
