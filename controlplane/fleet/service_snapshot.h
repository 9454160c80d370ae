// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// All that a plan for one service is made from: its rules, its memory, its instances and what was just seen of
// each. Filled by the observer (control_observer.h); the planner plays on it what it plans, so that each step
// sees the ones before it. Plain values: nothing here looks at a board, a driver or a clock.
//
// Control thread only. One snapshot is used again and again: its memory is taken once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "config.h"
#include "controlplane/fleet/boot_backoff.h"
#include "controlplane/fleet/instance.h"

namespace cheshire {

// What the load board, the steering table's readers and the driver say about one instance.
struct InstanceSight {
  bool dead = false;          // its port went away without our order
  bool ready = false;         // it answered a SYN since it was last told to run
  bool attached = false;      // its rings are up
  bool table_passed = false;  // draining, pausing: every worker has passed the table that shows it
  bool has_tiers = false;     // where the rules may want it paused: its driver can
  uint64_t in_flight = 0;
  uint64_t flows_owing = 0;  // flows in flight whose client waits for an answer
  uint64_t unanswered_since_ns = 0;
  uint64_t silent_since_ns = 0;
  uint64_t wake_since_ns = 0;
};

struct ServiceSnapshot {
  struct Row {
    Instance instance;  // a copy: what is planned is played on it
    InstanceSight sight;
  };

  const ServiceConfig* rules = nullptr;
  uint32_t revision = 0;          // of its image
  bool driver_has_tiers = false;  // with pools: of the instances that would be begun now
  bool syns_held = false;
  BootBackoff backoff;
  uint64_t last_demand_ns = 0;      // when somebody was last waiting or booting
  std::vector<Row> rows;            // in the order of their numbers
  const Instance* spare = nullptr;  // the slot that the service would get beyond its own; nullptr: none

  template <typename IsOne>
  [[nodiscard]] uint32_t count(IsOne&& is_one) const {
    return static_cast<uint32_t>(
        std::count_if(rows.begin(), rows.end(), [&](const Row& row) { return is_one(row.instance); }));
  }
  [[nodiscard]] uint32_t count(InstanceState state) const {
    return count([state](const Instance& instance) { return instance.state == state; });
  }
};

// Without a flow for `idle_after`.
[[nodiscard]] inline bool is_quiet(const ServiceSnapshot::Row& row, const ServiceConfig& rules,
                                   uint64_t now_ns) {
  return row.sight.in_flight == 0 &&
         now_ns - std::max(row.instance.busy_ns, row.instance.ordered_ns) >= rules.idle_after_ns;
}

}  // namespace cheshire
