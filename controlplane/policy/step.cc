// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// step: compatible with Unikraft Cloud. What it leaves open is settled here: lower bounds are inclusive,
// upper ones exclusive, percent rounds away from zero and moves by one at least.
#include <algorithm>

#include "controlplane/policy/decision_words.h"
#include "controlplane/policy/policy_kind.h"

namespace cheshire {
namespace {

int64_t percent_of(uint32_t size, int32_t percent) {
  const int64_t product = int64_t{size} * percent;
  if (percent == 0) return 0;
  const int64_t away = percent > 0 ? (product + 99) / 100 : (product - 99) / 100;
  return percent > 0 ? std::max<int64_t>(away, 1) : std::min<int64_t>(away, -1);
}

uint32_t adjusted(uint32_t size, Adjustment adjustment, int32_t by) {
  int64_t wanted = 0;
  switch (adjustment) {
    case Adjustment::kPercent:
      wanted = int64_t{size} + percent_of(size, by);
      break;
    case Adjustment::kChange:
      wanted = int64_t{size} + by;
      break;
    case Adjustment::kExact:
      wanted = by;
      break;
  }
  return static_cast<uint32_t>(std::clamp<int64_t>(wanted, 0, UINT32_MAX));
}

// Where nobody is there to be measured it has nothing to say: the first SYN wakes the first instance.
Wish wish(const PolicyConfig& policy, const ServiceView& view, const ServiceConfig& /*rules*/) {
  if (view.size == 0 || !view.knows(policy.metric)) return {view.size};
  const int64_t value = view.metric(policy.metric).value;
  for (size_t i = 0; i < policy.steps.size(); ++i) {
    const StepRange& step = policy.steps[i];
    if (step.lower && value < *step.lower) continue;
    if (step.upper && value >= *step.upper) continue;
    return {adjusted(view.size, policy.adjustment, step.adjustment), static_cast<uint8_t>(i)};
  }
  return {view.size};
}

// The highest bound of its ranges.
std::optional<int64_t> full_load(const PolicyConfig& policy, Metric metric, const ServiceConfig& /*rules*/) {
  if (policy.metric != metric || policy.steps.empty()) return std::nullopt;
  int64_t highest = 1;
  for (const StepRange& step : policy.steps) {
    highest = std::max({highest, step.lower.value_or(1), step.upper.value_or(1)});
  }
  return highest;
}

std::string reason(const PolicyConfig& policy, const ServiceView& view, const Decision& decision) {
  std::string words;
  if (decision.step < policy.steps.size()) {
    words = " (" + format_step(policy.steps[decision.step]) +
            (policy.adjustment == Adjustment::kPercent ? "%" : "") + ")";
  }
  return words + seen_text(view, policy.metric);
}

}  // namespace

extern const PolicyKindOps step_policy;
const PolicyKindOps step_policy{
    .keys = {KeyUse::kRequired, KeyUse::kOptional, KeyUse::kRequired, KeyUse::kNone},
    .grows_paced = true,
    .shrinks_paced = true,
    .wish = wish,
    .full_load = full_load,
    .reason = reason};

}  // namespace cheshire
