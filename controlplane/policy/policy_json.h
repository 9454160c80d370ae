// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A policy as JSON, the same in the answer to `scale get` and in `cheshire trace --json`. Pure; any thread.
#pragma once

#include "controlplane/policy/decision_words.h"
#include "controlplane/policy/policy_kind.h"

namespace cheshire {

// The name, the kind (as "type") and the keys that the kind has. `Json` is nlohmann's, which keeps their order; a
// template, so that the policies need no library for it.
template <typename Json>
[[nodiscard]] Json policy_json(const PolicyConfig& policy) {
  const PolicyKindOps& kind = ops_of(policy.kind);
  Json json{{"name", policy.name}, {"type", to_string(policy.kind)}};
  if (kind.has(PolicyKey::kMetric)) json["metric"] = to_string(policy.metric);
  if (kind.has(PolicyKey::kAdjustment)) json["adjustment"] = to_string(policy.adjustment);
  if (kind.has(PolicyKey::kSteps)) {
    json["steps"] = Json::array();
    for (const StepRange& step : policy.steps) json["steps"].push_back(format_step(step));
  }
  if (kind.has(PolicyKey::kTarget)) json["target"] = policy.target;
  return json;
}

}  // namespace cheshire
