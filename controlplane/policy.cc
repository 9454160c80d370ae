// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/policy.h"

#include <algorithm>

namespace cheshire {
namespace {

// The smallest number of instances of which none is at its soft limit; nobody for no demand.
uint32_t size_for(const ServiceView& view) {
  const uint32_t demand = view.in_flight + view.waiting_syns;
  return demand == 0 ? 0 : demand / view.in_flight_soft + 1;
}

}  // namespace

const char* to_string(Policy policy) {
  switch (policy) {
    case Policy::kNone:
      return "none";
    case Policy::kOnDemand:
      return "on_demand";
    case Policy::kIdle:
      return "idle";
    case Policy::kBounds:
      return "bounds";
  }
  return "?";
}

uint32_t on_demand(const ServiceView& view) {
  return std::max(view.size, size_for(view));
}

uint32_t idle(const ServiceView& view) {
  const uint32_t surplus = std::min(view.quiet, view.size);
  return std::max(view.size - surplus, std::min(view.size, size_for(view)));
}

Decision decide(const ServiceView& view) {
  Decision decision{view.size, Policy::kNone};
  if (const uint32_t out = on_demand(view); out > view.size) {
    decision = {out, Policy::kOnDemand};
  } else if (const uint32_t in = idle(view); in < view.size) {
    decision = {in, Policy::kIdle};
  }
  const uint32_t bounded = std::clamp(decision.wanted, view.min, view.max);
  if (bounded == view.size) return {view.size, Policy::kNone};
  if (bounded != decision.wanted && decision.by == Policy::kNone) decision.by = Policy::kBounds;
  decision.wanted = bounded;
  return decision;
}

}  // namespace cheshire
