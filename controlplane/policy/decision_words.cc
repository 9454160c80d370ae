// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/policy/decision_words.h"

#include <array>
#include <cstdio>

#include "controlplane/policy/policy_kind.h"

namespace cheshire {
namespace {

std::string printed(const char* format, double value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string policy_words(const ServiceView& view, const Decision& decision, const ServiceConfig& rules) {
  if (decision.policy >= rules.policies.size()) return {};
  const PolicyConfig& policy = rules.policies[decision.policy];
  return " " + policy.name + ops_of(policy.kind).reason(policy, view, decision);
}

}  // namespace

std::string metric_text(Metric metric, int64_t value) {
  const auto number = static_cast<double>(value);
  switch (metric) {
    case Metric::kCpu:
      return std::to_string(value) + " millicores";
    case Metric::kInFlight:
      return std::to_string(value);
    case Metric::kFlowRate:
      return std::to_string(value) + "/s";
    case Metric::kPacketRate:
      return std::to_string(value) + "/s";
    case Metric::kBitRate:
      return value < 10'000'000 ? printed("%.1f kbit/s", number / 1e3) : printed("%.1f Mbit/s", number / 1e6);
    case Metric::kQueueDelay:
    case Metric::kHandshakeTime:
      return value < 1'000'000 ? printed("%.1f us", number / 1e3) : printed("%.2f ms", number / 1e6);
  }
  return "?";
}

std::string seen_text(const ServiceView& view, Metric metric) {
  if (!view.knows(metric)) return {};
  return ", " + std::string(to_string(metric)) + " " + metric_text(metric, view.metric(metric).value);
}

std::string format_range(const StepRange& step) {
  const auto bound = [](const std::optional<int64_t>& value) { return value ? std::to_string(*value) : ""; };
  return bound(step.lower) + ":" + bound(step.upper);
}

std::string format_step(const StepRange& step) {
  return format_range(step) + "/" + std::to_string(step.adjustment);
}

std::string describe_decision(const ServiceView& view, const Decision& decision, const ServiceConfig& rules) {
  std::string words = std::to_string(view.size) + " -> " + std::to_string(decision.wanted) + ": " +
                      to_string(decision.by) + policy_words(view, decision, rules);
  if (decision.brake != Brake::kNone) words += std::string(", held back by ") + to_string(decision.brake);
  if (words.size() > kDecisionWordsMax) words.resize(kDecisionWordsMax);
  return words;
}

}  // namespace cheshire
