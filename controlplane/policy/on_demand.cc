// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// on_demand: an instance more when all are at the soft limit. With idle.cc the simple pair, for services without a
// rule of their own.
#include <algorithm>

#include "controlplane/policy/policy_kind.h"

namespace cheshire {
namespace {

// The smallest size at which nobody is at the soft limit; the first instance for the first that asks.
Wish wish(const PolicyConfig& /*policy*/, const ServiceView& view, const ServiceConfig& rules) {
  const uint32_t demand = view.in_flight + view.waiting_syns;
  return {demand == 0 ? view.size : std::max(view.size, demand / rules.in_flight_soft + 1)};
}

std::optional<int64_t> full_load(const PolicyConfig& /*policy*/, Metric metric, const ServiceConfig& rules) {
  if (metric != Metric::kInFlight) return std::nullopt;
  return rules.in_flight_soft;
}

std::string reason(const PolicyConfig& /*policy*/, const ServiceView& view, const Decision& /*decision*/) {
  return ", " + std::to_string(view.in_flight) + " in flight, " + std::to_string(view.waiting_syns) + " held";
}

}  // namespace

extern const PolicyKindOps on_demand_policy;
const PolicyKindOps on_demand_policy{.wish = wish, .full_load = full_load, .reason = reason};

}  // namespace cheshire
