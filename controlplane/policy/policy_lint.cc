// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/policy/policy_lint.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "controlplane/policy/policy_kind.h"

namespace cheshire {
namespace {

constexpr uint32_t kSettleRounds = 2 * kSweepSizeMax;
constexpr int64_t kFullCpu = 1000;

// The load that is called one full instance; nullopt: no policy looks at this metric.
std::optional<int64_t> full_instance(const ServiceConfig& rules, Metric metric) {
  std::optional<int64_t> full;
  for (const PolicyConfig& policy : rules.policies) {
    const std::optional<int64_t> load = ops_of(policy.kind).full_load(policy, metric, rules);
    if (load) full = std::max(full.value_or(1), *load);
  }
  if (full && metric == Metric::kCpu) full = kFullCpu;
  return full;
}

ServiceView view_at(Metric metric, int64_t load, uint32_t size) {
  ServiceView view{.size = size};
  if (metric == Metric::kInFlight)
    view.in_flight = static_cast<uint32_t>(std::min<int64_t>(load, UINT32_MAX));
  const int64_t mean = size == 0 ? 0 : load / size;
  MetricView value{.value = mean, .total = load};
  // A vCPU is never more than busy all the time.
  if (metric == Metric::kCpu) value = {std::min(mean, kFullCpu), std::min(load, kFullCpu * size)};
  view.set(metric, value);
  return view;
}

// The sizes that it goes through for ever from this start on; empty: it rests.
std::vector<uint32_t> cycle_from(uint32_t start, const ServiceConfig& rules, Metric metric, int64_t load,
                                 Guard guard) {
  const auto next = [&](uint32_t size) {
    return decide(view_at(metric, load, size), rules, 0, guard).wanted;
  };
  uint32_t size = start;
  for (uint32_t round = 0; round < kSettleRounds; ++round) {
    const uint32_t then = next(size);
    if (then == size) return {};
    size = then;
  }
  // Sizes are few and nothing else is remembered: by now it is in its cycle.
  std::vector<uint32_t> cycle{size};
  for (uint32_t then = next(size); then != size; then = next(then)) cycle.push_back(then);
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

ServiceConfig as_swept(const ServiceConfig& rules) {
  ServiceConfig swept = rules;
  swept.instances_max = std::min(rules.instances_max, kSweepSizeMax);
  swept.instances_min = std::min(rules.instances_min, swept.instances_max);
  return swept;
}

uint32_t loads_of(const ServiceConfig& swept) {
  return swept.instances_max * (100 / kSweepStepPercent) - 2;
}

}  // namespace

std::vector<Oscillation> lint_policies(const ServiceConfig& rules, Guard guard) {
  const ServiceConfig swept = as_swept(rules);
  std::vector<Oscillation> found;
  for (size_t index = 0; index < kMetrics; ++index) {
    const auto metric = static_cast<Metric>(index);
    const std::optional<int64_t> full = full_instance(swept, metric);
    if (!full) continue;
    for (uint32_t i = 1; i <= loads_of(swept); ++i) {
      const uint32_t percent = i * kSweepStepPercent;
      const int64_t load = *full * percent / 100;
      for (const uint32_t start : {std::max(swept.instances_min, 1U), swept.instances_max}) {
        std::vector<uint32_t> sizes = cycle_from(start, swept, metric, load, guard);
        if (sizes.empty()) continue;
        found.push_back({metric, percent, std::move(sizes)});
        break;
      }
    }
  }
  return found;
}

std::string describe_oscillations(const ServiceConfig& rules, const std::vector<Oscillation>& found) {
  std::string text;
  for (size_t index = 0; index < kMetrics; ++index) {
    const auto metric = static_cast<Metric>(index);
    const auto is_of_metric = [metric](const Oscillation& swing) { return swing.metric == metric; };
    const auto first = std::find_if(found.begin(), found.end(), is_of_metric);
    if (first == found.end()) continue;
    const auto count = std::count_if(found.begin(), found.end(), is_of_metric);
    if (!text.empty()) text += "; ";
    std::array<char, 96> head;
    std::snprintf(
        head.data(), head.size(),
        ": at %ld of %u constant loads, the first that of %u.%02u full instances: ", static_cast<long>(count),
        loads_of(as_swept(rules)), first->load_percent / 100, first->load_percent % 100);
    text += std::string(to_string(metric)) + head.data();
    for (const uint32_t size : first->sizes) text += std::to_string(size) + ", ";
    text += std::to_string(first->sizes.front()) + ", …";
  }
  return text;
}

std::string swing_warning(const ServiceConfig& rules) {
  const std::string swings = describe_oscillations(rules, lint_policies(rules, Guard::kOff));
  if (swings.empty()) return {};
  return "would swing for ever under constant load, " + swings +
         " instances; the projection guard will hold it where it does not, which may be more instances than "
         "the steps say; move the bounds apart";
}

}  // namespace cheshire
