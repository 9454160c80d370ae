// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// target: as many instances as the load needs, in one jump. Doubling until it fits would pay a boot and a
// warmup for each doubling.
#include <algorithm>

#include "controlplane/policy/decision_words.h"
#include "controlplane/policy/policy_kind.h"

namespace cheshire {
namespace {

// An instance goes only when the rest would be below this part of the target: a load that trembles around a
// multiple of the target moves nothing.
constexpr int64_t kInPercent = 90;

uint32_t ceil_div(int64_t load, int64_t by) {
  return static_cast<uint32_t>(std::clamp<int64_t>((load + by - 1) / by, 0, UINT32_MAX));
}

Wish wish(const PolicyConfig& policy, const ServiceView& view, const ServiceConfig& /*rules*/) {
  if (!view.knows(policy.metric) || policy.target <= 0) return {view.size};
  const int64_t load = std::max<int64_t>(view.metric(policy.metric).total, 0);
  const uint32_t needed = ceil_div(load, policy.target);
  if (needed >= view.size) return {needed};
  return {std::min(view.size, std::max(needed, ceil_div(load * 100, policy.target * kInPercent)))};
}

std::optional<int64_t> full_load(const PolicyConfig& policy, Metric metric, const ServiceConfig& /*rules*/) {
  if (policy.metric != metric) return std::nullopt;
  return policy.target;
}

std::string reason(const PolicyConfig& policy, const ServiceView& view, const Decision& /*decision*/) {
  return seen_text(view, policy.metric) + ", target " + metric_text(policy.metric, policy.target);
}

}  // namespace

extern const PolicyKindOps target_policy;
const PolicyKindOps target_policy{
    .keys = {KeyUse::kRequired, KeyUse::kNone, KeyUse::kNone, KeyUse::kRequired},
    .shrinks_paced = true,
    .wish = wish,
    .full_load = full_load,
    .reason = reason};

}  // namespace cheshire
