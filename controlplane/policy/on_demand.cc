// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// on_demand and idle: the simple pair, for services without a rule of their own.
#include <algorithm>

#include "controlplane/policy/policy.h"

namespace cheshire {

// The smallest size at which nobody is at the soft limit; the first instance for the first that asks.
Wish on_demand_wish(const ServiceView& view, uint32_t in_flight_soft) {
  const uint32_t demand = view.in_flight + view.waiting_syns;
  return {demand == 0 ? view.size : std::max(view.size, demand / in_flight_soft + 1)};
}

Wish idle_wish(const ServiceView& view) {
  return {view.size - std::min(view.quiet, view.size)};
}

}  // namespace cheshire
