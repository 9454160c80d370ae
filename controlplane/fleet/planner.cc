// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The plan that follows from a decision. What follows from sight alone: planner_sight.cc.
#include "controlplane/fleet/planner.h"

#include <utility>

#include "controlplane/fleet/plan_writer.h"

namespace cheshire {
namespace {

using Row = ServiceSnapshot::Row;

// Pools are refilled one instance at a time, when nobody has waited for a while: a client's boot never
// competes with one that nobody waits for.
constexpr uint64_t kRefillAfterNs = 20 * kNsPerMs;

void grow(PlanWriter& to, uint32_t by) {
  const auto each = [&](InstanceState state, auto&& act) {
    for (Row& row : to.rows()) {
      if (by == 0) return;
      if (row.instance.state != state || row.instance.retiring) continue;
      act(row);
      --by;
    }
  };
  each(InstanceState::kDraining, [&](Row& row) {
    to.change(row, row.instance.was_ready() ? LifeCause::kCalledBack : LifeCause::kCalledBackCold);
  });
  each(InstanceState::kStandby, [&](Row& row) { to.change(row, LifeCause::kResumed); });
  if (!to.may_try_to_boot()) return;
  each(InstanceState::kShell, [&](Row& row) { to.change(row, LifeCause::kShellStarted); });
  // What is being prepared, warmed or paused comes in time for the next client, not for this one.
  each(InstanceState::kAbsent, [&](Row& row) { to.begin(row, LifeCause::kBootOrdered); });
}

// The emptiest of those that count and are such; nullptr: none. Among equals one of an old image, then the last
// slot, as new flows prefer the first.
template <typename IsOne>
Row* victim_of(PlanWriter& to, IsOne&& is_one) {
  Row* victim = nullptr;
  const auto rank = [&](const Row& row) {
    return std::pair(row.sight.in_flight, row.instance.revision == to.snapshot().revision);
  };
  for (Row& row : to.rows()) {
    if (!row.instance.counts() || !is_one(row)) continue;
    if (victim == nullptr || rank(row) <= rank(*victim)) victim = &row;
  }
  return victim;
}

// The emptiest first. `idle` takes only those that had no flow for a while; whoever else wants less drains an
// instance with its flows still open.
void shrink(PlanWriter& to, uint32_t by, Reason reason) {
  const bool only_quiet = reason == Reason::kIdle;
  for (; by > 0; --by) {
    Row* const victim = victim_of(to, [&](const Row& row) {
      return !row.instance.replaces && (!only_quiet || is_quiet(row, to.rules(), to.now_ns()));
    });
    if (victim == nullptr) return;
    to.change(*victim, LifeCause::kDrainOrdered);
  }
}

void retire(PlanWriter& to, Row& row) {
  switch (row.instance.state) {
    case InstanceState::kAbsent:
    case InstanceState::kLeaving:
    case InstanceState::kStopping:
      return;
    case InstanceState::kPreparing:
    case InstanceState::kShell:
    case InstanceState::kWarming:
      return to.change(row, LifeCause::kDismissed);
    case InstanceState::kPausing:  // drained once it is paused
    case InstanceState::kDraining:
      return to.mark(row, ActionKind::kRetire);
    case InstanceState::kStandby:
      if (row.sight.in_flight == 0) return to.change(row, LifeCause::kDismissed);
      to.change(row, LifeCause::kResumed);  // its flows may go on until the drain deadline
      break;
    case InstanceState::kBooting:
    case InstanceState::kActive:
      break;
  }
  to.mark(row, ActionKind::kRetire);
  to.change(row, LifeCause::kDrainOrdered);
}

// Instances of an image that changed are replaced one after the other: a successor boots, and when it is
// ready, the emptiest of the old ones is drained. Where no slot is left for a successor, the old one goes
// first.
void replace_outdated(PlanWriter& to) {
  const auto outdated = [&](const Row& row) { return row.instance.revision != to.snapshot().revision; };
  bool succession = false;   // a successor boots
  bool making_room = false;  // an old one goes, and leaves its slot
  for (Row& row : to.rows()) {
    const Instance& instance = row.instance;
    if (!outdated(row)) {
      if (!instance.replaces) continue;
      if (instance.state == InstanceState::kBooting) {
        succession = true;
        continue;
      }
      to.mark(row, ActionKind::kSucceed);
      if (instance.state != InstanceState::kActive) continue;  // it failed
      if (Row* old = victim_of(to, outdated)) retire(to, *old);
    } else if (!instance.counts() && instance.state != InstanceState::kAbsent) {
      making_room |= instance.state != InstanceState::kStandby;
      if (!instance.retiring || instance.state == InstanceState::kStandby) retire(to, row);
    }
  }
  // Asked only now: the last of them may just have been retired.
  if (victim_of(to, outdated) == nullptr || succession || !to.may_try_to_boot()) return;
  if (Row* slot = to.free_slot()) {
    to.begin_successor(*slot);
  } else if (Row* old = making_room ? nullptr : victim_of(to, outdated)) {
    retire(to, *old);
  }
}

// With nobody left but instances that retire, and no slot for another one, the last of them go on taking new
// flows: rather that than nowhere. Not when they are empty: then the slot is soon free.
void choose_last_resort(PlanWriter& to) {
  bool needed = !to.rules().removed;
  for (const Row& row : to.rows()) {
    if (!(row.instance.state == InstanceState::kDraining && row.instance.retiring)) needed = false;
  }
  for (Row& row : to.rows()) {
    const bool serves = needed && row.instance.was_ready() && row.sight.in_flight != 0;
    if (row.instance.last_resort == serves) continue;
    to.mark(row, serves ? ActionKind::kServeAsLast : ActionKind::kStopServing);
  }
}

// Open flows, not a packet of them for a while, and none whose client waits for an answer.
bool is_pausable(const Row& row, const ServiceConfig& rules, uint64_t now_ns) {
  return rules.idle == IdleAction::kPause && row.instance.state == InstanceState::kActive &&
         row.sight.in_flight != 0 && row.sight.flows_owing == 0 &&
         now_ns - row.instance.moved_ns >= rules.idle_after_ns && row.sight.has_tiers;
}

void pause_quiet(PlanWriter& to) {
  uint32_t size = to.snapshot().count([](const Instance& instance) { return instance.counts(); });
  for (Row& row : to.rows()) {
    if (size <= to.rules().instances_min || !is_pausable(row, to.rules(), to.now_ns())) continue;
    to.change(row, LifeCause::kWentQuiet);
    --size;
  }
}

// A config that was read anew may want fewer, and a sleeper may have lost its flows to their timeout.
void trim_pool(PlanWriter& to, InstanceState state, uint32_t wanted) {
  uint32_t there = 0;
  for (Row& row : to.rows()) {
    if (row.instance.state != state || row.sight.in_flight != 0) continue;
    if (++there > wanted) to.change(row, LifeCause::kDismissed);
  }
}

void refill_pools(PlanWriter& to, const ServiceView& view) {
  const ServiceSnapshot& snapshot = to.snapshot();
  const ServiceConfig& rules = to.rules();
  if (rules.shells == 0 && rules.standby == 0) return;
  const bool demand = view.waiting_syns != 0 || view.booting != 0;
  const uint64_t last_demand_ns = demand ? to.now_ns() : snapshot.last_demand_ns;
  const bool busy = snapshot.count([](const Instance& instance) {
    return instance.state == InstanceState::kPreparing || instance.state == InstanceState::kWarming ||
           instance.state == InstanceState::kPausing;
  }) != 0;
  if (busy || to.now_ns() - last_demand_ns < kRefillAfterNs || !to.may_try_to_boot()) return;

  Row* const free = to.first_in(InstanceState::kAbsent);
  const bool can_begin = free != nullptr && snapshot.driver_has_tiers;
  if (snapshot.count(InstanceState::kStandby) < rules.standby) {
    if (Row* shell = to.first_in(InstanceState::kShell)) {
      to.change(*shell, LifeCause::kWarmingOrdered);
    } else if (can_begin) {
      to.begin(*free, LifeCause::kWarmingOrdered);
    }
  } else if (snapshot.count(InstanceState::kShell) < rules.shells && can_begin) {
    to.begin(*free, LifeCause::kShellOrdered);
  }
}

}  // namespace

void plan(ServiceSnapshot& snapshot, const ServiceView& view, const Decision& decision, uint64_t now_ns,
          Plan& plan) {
  PlanWriter to(snapshot, now_ns, plan);
  if (decision.wanted > view.size) grow(to, decision.wanted - view.size);
  if (decision.wanted < view.size) shrink(to, view.size - decision.wanted, decision.by);
  plan.by_decision = plan.actions.size();
  replace_outdated(to);
  choose_last_resort(to);
  pause_quiet(to);
  trim_pool(to, InstanceState::kShell, to.rules().shells);
  trim_pool(to, InstanceState::kStandby, to.rules().standby);
  refill_pools(to, view);
}

void plan_retirement(ServiceSnapshot& snapshot, SlotIndex slot, uint64_t now_ns, Plan& plan) {
  PlanWriter to(snapshot, now_ns, plan);
  for (Row& row : to.rows()) {
    if (row.instance.id.slot == slot) retire(to, row);
  }
}

void plan_wind_down(ServiceSnapshot& snapshot, uint64_t now_ns, Plan& plan) {
  PlanWriter to(snapshot, now_ns, plan);
  for (Row& row : to.rows()) {
    const bool goes = row.instance.retiring && row.instance.state != InstanceState::kStandby;
    if (!goes) retire(to, row);
  }
}

void plan_shutdown(ServiceSnapshot& snapshot, uint64_t now_ns, Plan& plan) {
  PlanWriter to(snapshot, now_ns, plan);
  for (Row& row : to.rows()) {
    if (next_state(row.instance.state, LifeCause::kShutDown)) to.change(row, LifeCause::kShutDown);
  }
}

}  // namespace cheshire
