// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/control_observer.h"

#include <utility>

namespace cheshire {

ServiceSnapshot& ControlObserver::look(ServiceIndex index, uint64_t now_ns) {
  const ServiceConfig& rules = from_.config.of(index);
  const ServiceRecord& record = from_.records[index.value];
  const ServiceLoad& load = from_.board.service(index);
  snapshot_.rules = &rules;
  snapshot_.revision = record.revision;
  const bool has_pools = !rules.removed && (rules.shells != 0 || rules.standby != 0);
  snapshot_.driver_has_tiers =
      has_pools && from_.drivers.at(from_.config.now->images[rules.image].driver)->has_tiers();
  snapshot_.syns_held = load.held_syns.get() != 0;
  snapshot_.backoff = record.backoff;
  snapshot_.last_demand_ns = record.last_demand_ns;
  snapshot_.spare = from_.pool.next_spare();
  snapshot_.rows.clear();
  for (Instance& instance : from_.pool.of(index)) {
    if (instance.state == InstanceState::kAbsent) {
      snapshot_.rows.push_back({.instance = instance, .sight = {}});
      continue;
    }
    const InstanceSight sight = sight_of(instance, rules);
    if (instance.listed() && !sight.dead) note(instance, sight, now_ns);
    snapshot_.rows.push_back({.instance = instance, .sight = sight});
  }
  return snapshot_;
}

InstanceSight ControlObserver::sight_of(const Instance& instance, const ServiceConfig& rules) const {
  const SlotLoad& load = from_.board.slot(instance.id.slot);
  const uint64_t generation = instance.id.generation.value;
  const bool waits_for_workers =
      instance.state == InstanceState::kDraining || instance.state == InstanceState::kPausing;
  const bool may_pause = rules.standby != 0 || rules.idle == IdleAction::kPause;
  return {.dead = load.dead_generation.observe() == generation,
          .ready = load.ready_generation.observe() == generation,
          .attached = load.attached_generation.observe() == generation,
          .table_passed = waits_for_workers && from_.steering.passed_by_all(instance.table_version),
          .has_tiers = may_pause && from_.drivers.at(instance.driver)->has_tiers(),
          .in_flight = load.in_flight.get(),
          .flows_owing = load.flows_owing.get(),
          .unanswered_since_ns = load.unanswered_since_ns.get(),
          .silent_since_ns = load.silent_since_ns.get(),
          .wake_since_ns = load.wake_since_ns.get()};
}

void ControlObserver::note(Instance& instance, const InstanceSight& sight, uint64_t now_ns) const {
  const SlotLoad& load = from_.board.slot(instance.id.slot);
  const uint64_t opened = load.flows_opened.get();
  if (sight.in_flight != 0 || opened != instance.flows_opened) instance.busy_ns = now_ns;
  instance.flows_opened = opened;
  const uint64_t packets = load.packets_to_guest.get() + load.packets_from_guest.get();
  if (packets != instance.packets) instance.moved_ns = now_ns;
  instance.packets = packets;
  if (instance.state != InstanceState::kDraining) return;
  // Before every worker has seen the table, one may still give it a flow.
  if (sight.in_flight != 0 || !sight.table_passed) {
    instance.empty_since_ns = 0;
  } else if (instance.empty_since_ns == 0) {
    instance.empty_since_ns = now_ns;
  }
}

ServiceView ControlObserver::measure(ServiceIndex index, const ServiceSnapshot& snapshot, uint64_t now_ns) {
  const ServiceRecord& record = from_.records[index.value];
  const ServiceConfig& rules = *snapshot.rules;
  ServiceView view{.grew_ns = record.grew_ns, .shrank_ns = record.shrank_ns};
  for (const ServiceSnapshot::Row& row : snapshot.rows) {
    const Instance& instance = row.instance;
    if (instance.state == InstanceState::kDraining) ++view.draining;
    if (!instance.counts() || instance.replaces) continue;
    ++view.size;
    const bool booting = instance.state == InstanceState::kBooting;
    if (booting) ++view.booting;
    if (booting || now_ns - instance.ready_ns < rules.warmup_ns) ++view.cold;
    if (is_quiet(row, rules, now_ns)) ++view.quiet;
    view.in_flight += static_cast<uint32_t>(row.sight.in_flight);
  }
  view.waiting_syns = static_cast<uint32_t>(from_.board.service(index).waiting_syns.get());
  take_usage(index, now_ns);
  meters_[index.value].look(std::as_const(from_.pool).of(index), from_.board, index, rules, now_ns, view);
  return view;
}

// Asking a driver takes a lock: only where a policy wants to know, and a few times per window.
void ControlObserver::take_usage(ServiceIndex index, uint64_t now_ns) {
  ServiceMeter& meter = meters_[index.value];
  const ServiceConfig& rules = from_.config.of(index);
  if (!meter.wants_usage(rules, now_ns)) return;
  size_t position = 0;
  for (const Instance& instance : from_.pool.of(index)) {
    const size_t at = position++;
    if (instance.state != InstanceState::kActive) continue;
    const auto usage = from_.drivers.at(instance.driver)->usage(instance.id);
    if (usage) meter.take_usage(rules, at, *usage);
  }
}

}  // namespace cheshire
