// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/policy_words.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <unordered_set>

#include "controlplane/config/config_values.h"
#include "controlplane/policy/policy_kind.h"
#include "ids.h"

namespace cheshire {
namespace {

constexpr int64_t kBoundMax = 1'000'000'000'000'000;  // 10^15: a petabit a second, or eleven days
constexpr int32_t kPercentMax = 10'000;

Error invalid(std::string what) {
  return Error{ErrorCode::kInvalidArgument, std::move(what)};
}

bool is_delay(Metric metric) {
  return metric == Metric::kQueueDelay || metric == Metric::kHandshakeTime;
}

bool is_whole_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A whole number, or for a delay a duration.
Result<int64_t> parse_metric_value(std::string_view text, Metric metric) {
  const std::string form = is_delay(metric) ? "a number of nanoseconds, or a duration such as 200us"
                                            : "a whole number that is not negative";
  uint64_t value = 0;
  if (is_whole_number(text)) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) value = UINT64_MAX;
  } else if (is_delay(metric)) {
    const Result<uint64_t> duration = parse_duration_ns(text);
    if (!duration.ok()) return duration.error();
    value = duration.value();
  } else {
    return invalid(in_quotes(text) + " is not " + form);
  }
  if (value > static_cast<uint64_t>(kBoundMax)) {
    return invalid(in_quotes(text) + " is out of range; write " + form + ", at most " +
                   std::to_string(kBoundMax));
  }
  return static_cast<int64_t>(value);
}

Result<int32_t> parse_signed(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  int32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool doubled_sign = text.starts_with("+-");
  if (digits.empty() || doubled_sign || error != std::errc{} || end != digits.data() + digits.size()) {
    return invalid(in_quotes(text) + " is no adjustment; write a whole number such as 50 or -1");
  }
  return value;
}

template <size_t N>
size_t position_of(const std::array<std::string_view, N>& words, std::string_view text) {
  return static_cast<size_t>(std::find(words.begin(), words.end(), text) - words.begin());
}

template <size_t N>
Error unknown(const char* what, const std::array<std::string_view, N>& words, std::string_view text) {
  std::string list;
  for (const std::string_view word : words) list += (list.empty() ? "" : ", ") + std::string(word);
  return invalid(in_quotes(text) + " is no " + what + did_you_mean(text, words) + "; write one of " + list);
}

}  // namespace

Result<StepRange> parse_step(std::string_view text, Metric metric) {
  const auto malformed = [&](const char* what) {
    return invalid(in_quotes(text) + " " + what +
                   "; write LOWER:UPPER/ADJUSTMENT, such as 600:800/50, 800:/100 or :50/-50");
  };
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return malformed("has no /");
  const std::string_view range = text.substr(0, slash);
  const size_t colon = range.find(':');
  if (colon == std::string_view::npos) return malformed("has no : before the /");
  const std::string_view lower = range.substr(0, colon);
  const std::string_view upper = range.substr(colon + 1);
  if (lower.empty() && upper.empty()) return malformed("has no bound");
  StepRange step;
  for (auto& [words, bound] : {std::pair(lower, &step.lower), std::pair(upper, &step.upper)}) {
    if (words.empty()) continue;
    const Result<int64_t> value = parse_metric_value(words, metric);
    if (!value.ok()) return value.error();
    *bound = value.value();
  }
  const Result<int32_t> adjustment = parse_signed(text.substr(slash + 1));
  if (!adjustment.ok()) return adjustment.error();
  step.adjustment = adjustment.value();
  if (step.lower && step.upper && *step.lower >= *step.upper) {
    return invalid(in_quotes(text) + ": the lower bound is not below the upper one; write the smaller first");
  }
  if (!step.lower && *step.upper == 0) return malformed("is empty: nothing lies below 0");
  return step;
}

Result<int64_t> parse_target(std::string_view text, Metric metric) {
  Result<int64_t> value = parse_metric_value(text, metric);
  if (value.ok() && value.value() == 0) return invalid("0 is no target; write a number above 0");
  return value;
}

Result<Metric> parse_metric(std::string_view text) {
  const size_t position = position_of(kMetricNames, text);
  if (position == kMetricNames.size()) return unknown("metric", kMetricNames, text);
  return static_cast<Metric>(position);
}

Result<PolicyKind> parse_policy_kind(std::string_view text) {
  const size_t position = position_of(kPolicyKindNames, text);
  if (position == kPolicyKindNames.size()) return unknown("kind of policy", kPolicyKindNames, text);
  return static_cast<PolicyKind>(position);
}

Result<Adjustment> parse_adjustment(std::string_view text) {
  for (const auto& [alias, meaning] : kAdjustmentAliases) {
    if (text == alias) return meaning;
  }
  const size_t position = position_of(kAdjustmentNames, text);
  if (position == kAdjustmentNames.size()) return unknown("adjustment", kAdjustmentNames, text);
  return static_cast<Adjustment>(position);
}

Result<std::vector<StepRange>> order_steps(std::vector<StepRange> steps) {
  if (steps.empty()) return invalid("a step policy needs at least one step, such as 800:/100");
  if (steps.size() > kStepsMax) {
    return invalid(std::to_string(steps.size()) + " steps; a policy has at most " +
                   std::to_string(kStepsMax));
  }
  const auto begin_of = [](const StepRange& step) {
    return step.lower ? *step.lower : std::numeric_limits<int64_t>::min();
  };
  std::stable_sort(steps.begin(), steps.end(),
                   [&](const StepRange& a, const StepRange& b) { return begin_of(a) < begin_of(b); });
  for (size_t i = 1; i < steps.size(); ++i) {
    const StepRange& before = steps[i - 1];
    const StepRange& step = steps[i];
    const std::string both = format_range(before) + " and " + format_range(step);
    if (!step.lower) return invalid("two steps are open below, " + both + "; only the first may be");
    if (!before.upper) {
      return invalid(format_range(before) + " is open above and " + format_range(step) +
                     " follows; only the last step may be open above");
    }
    if (*before.upper < *step.lower) {
      return invalid("the steps are not contiguous: a gap between " + both +
                     "; close it, or make two policies of them");
    }
    if (*before.upper > *step.lower) return invalid("the steps " + both + " overlap; let them only touch");
  }
  return steps;
}

Result<void> check_adjustment(const StepRange& step, Adjustment adjustment) {
  const auto out_of_range = [&](const std::string& range) {
    return invalid("the adjustment " + std::to_string(step.adjustment) + " of " + format_step(step) +
                   " is out of range; with " + std::string(to_string(adjustment)) + " write " + range);
  };
  switch (adjustment) {
    case Adjustment::kPercent:
      if (step.adjustment < -100 || step.adjustment > kPercentMax) {
        return out_of_range("-100 to " + std::to_string(kPercentMax));
      }
      return {};
    case Adjustment::kChange:
      if (step.adjustment < -kSlotsMax || step.adjustment > kSlotsMax) {
        return out_of_range("-" + std::to_string(kSlotsMax) + " to " + std::to_string(kSlotsMax));
      }
      return {};
    case Adjustment::kExact:
      if (step.adjustment < 0 || step.adjustment > kSlotsMax) {
        return out_of_range("0 to " + std::to_string(kSlotsMax));
      }
      return {};
  }
  return {};
}

bool is_policy_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= kPolicyNameMax && std::all_of(text.begin(), text.end(), fits);
}

Result<void> check_policies(std::span<const PolicyConfig> policies, PolicyPaces paces) {
  if (policies.size() > kPoliciesMax) {
    return invalid(std::to_string(policies.size()) + " policies; a service has at most " +
                   std::to_string(kPoliciesMax));
  }
  std::unordered_set<std::string_view> names;
  for (const PolicyConfig& policy : policies) {
    if (!names.insert(policy.name).second) {
      return invalid("two policies are named " + in_quotes(policy.name) + "; give one another name");
    }
    if (!ops_of(policy.kind).paced()) continue;
    for (const auto& [what, ns] :
         {std::pair("warmup", paces.warmup_ns), std::pair("cooldown", paces.cooldown_ns)}) {
      if (ns >= kPolicyPaceMinNs) continue;
      return invalid(std::string(what) + " is " + format_duration(ns) + ", and the policy " +
                     in_quotes(policy.name) + " (" + std::string(to_string(policy.kind)) +
                     ") needs at least " + format_duration(kPolicyPaceMinNs) + "; raise it");
    }
  }
  return {};
}

}  // namespace cheshire
