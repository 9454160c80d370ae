// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/control_loop.h"

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "check.h"
#include "controlplane/fleet/instance_life.h"
#include "controlplane/fleet/table_builder.h"
#include "log.h"

namespace cheshire {
namespace {

// Bounds a round: it ends, however much comes.
constexpr size_t kRecordsPerRound = 16384;  // of each worker

}  // namespace

ControlLoop::ControlLoop(const Config& config, ControlLinks links)
    : links_(std::move(links)),
      config_{.now = std::make_shared<const Config>(config), .file = {}},
      records_(config.services.size()),
      pool_(config, *links_.board),
      steering_(*links_.steering, links_.published, config.slots()),
      orders_(links_.drivers, pool_),
      departures_(config_, *links_.board, pool_, steering_, orders_, links_.connected),
      runner_({.config = config_,
               .board = *links_.board,
               .records = records_,
               .pool = pool_,
               .steering = steering_,
               .orders = orders_,
               .departures = departures_,
               .cold_starts = cold_starts_,
               .vhost_socket = links_.vhost_socket}),
      looks_(config.services.size()),
      observer_({.config = config_,
                 .board = *links_.board,
                 .records = records_,
                 .pool = pool_,
                 .steering = steering_,
                 .drivers = links_.drivers}),
      trace_(links_.trace, config.services.size()),
      status_({.config = config_,
               .records = records_,
               .pool = pool_,
               .cold_starts = cold_starts_,
               .drivers = links_.drivers},
              *links_.status),
      commands_({.config = config_,
                 .records = records_,
                 .pool = pool_,
                 .steering = steering_,
                 .observer = observer_,
                 .runner = runner_,
                 .drivers = links_.drivers,
                 .services_made = links_.board->service_count(),
                 .resized = [this] { resize_parts(); }}) {
  config_.file = config_.now;
}

bool ControlLoop::tick(uint64_t now_ns) {
  busy_ = false;
  take_load_records();
  take_driver_events(now_ns);
  pool_.share(*config_.now);
  looks_.look_at_first([&](ServiceIndex index) { look_at(index, now_ns); });
  publish_and_act();
  looks_.add_in_turn(pool_);
  looks_.look_at_others([&](ServiceIndex index) { look_at(index, now_ns); });
  publish_and_act();
  busy_ |= departures_.any();
  departures_.progress(now_ns);
  orders_.give();
  status_.show(now_ns);
  return busy_;
}

void ControlLoop::take_load_records() {
  LoadRecord record;
  for (SpscRing<LoadRecord>* ring : links_.load_rings) {
    for (size_t taken = 0; taken < kRecordsPerRound && ring->pop(record); ++taken) {
      busy_ = true;
      CHECK(record.version == kLoadRecordVersion && record.service.value < records_.size());
      observer_.take(record);
      if (record.edge == LoadEdge::kPeriodic) {
        looks_.add(record.service);
      } else {
        looks_.add_first(record.service);
      }
    }
  }
}

void ControlLoop::take_driver_events(uint64_t now_ns) {
  for (const auto& [kind, driver] : links_.drivers) {
    while (const std::optional<DriverEvent> event = driver->next_event()) {
      Instance& instance = pool_.at(event->id.slot);
      if (!(instance.id == event->id)) continue;
      busy_ = true;
      looks_.add_first(instance.service);
      take_driver_event(instance, *event, now_ns);
    }
  }
}

// What comes out of turn, as the news of one that leaves already, changes nothing.
void ControlLoop::take_driver_event(Instance& instance, const DriverEvent& event, uint64_t now_ns) {
  switch (event.kind) {
    case DriverEventKind::kSpawned:
      instance.pid = event.pid;
      instance.spawn_began_ns = event.began_ns;
      instance.spawned_ns = event.time_ns;
      return;
    case DriverEventKind::kPrepared:
      if (instance.state == InstanceState::kPreparing) {
        change_state(instance, LifeCause::kShellMade, now_ns);
      }
      return;
    case DriverEventKind::kPaused:
      if (instance.state == InstanceState::kPausing) change_state(instance, LifeCause::kPaused, now_ns);
      return;
    case DriverEventKind::kExited:
      instance.process_gone = true;
      if (next_state(instance.state, LifeCause::kFailed)) runner_.fail(instance, event.reason, now_ns);
      return;
  }
}

void ControlLoop::look_at(ServiceIndex index, uint64_t now_ns) {
  ServiceSnapshot& snapshot = observer_.look(index, now_ns);
  plan_.clear();
  plan_from_sight(snapshot, now_ns, plan_);
  run(index, now_ns);
  if (shutting_down_) {
    plan_shutdown(snapshot, now_ns, plan_);
    return run(index, now_ns);
  }
  if (config_.of(index).removed) return wind_down(index, snapshot, now_ns);
  resize(index, snapshot, now_ns);
}

// What is planned by now.
void ControlLoop::run(ServiceIndex index, uint64_t now_ns) {
  runner_.run(index, plan_, now_ns);
  plan_.clear();
}

// Decides on the service's size, plans what that takes, and runs the plan.
void ControlLoop::resize(ServiceIndex index, ServiceSnapshot& snapshot, uint64_t now_ns) {
  ServiceRecord& record = records_[index.value];
  const ServiceConfig& rules = config_.of(index);
  if (const bool refusing = record.backoff.refusing(now_ns); refusing != record.refusing) {
    record.refusing = refusing;
    steering_.change_services();
  }
  const ServiceView view = observer_.measure(index, snapshot, now_ns);
  const Decision decision = decide(view, rules, now_ns);
  record.status.wanted = decision.wanted;
  record.status.metrics = view.metrics;
  record.status.metrics_valid = view.valid;

  plan(snapshot, view, decision, now_ns, plan_);
  const std::span<const Action> decided = std::span(plan_.actions).first(plan_.by_decision);
  if (!decided.empty()) (decision.wanted > view.size ? record.grew_ns : record.shrank_ns) = now_ns;
  const bool has_pools = rules.shells != 0 || rules.standby != 0;
  if (has_pools && (view.waiting_syns != 0 || view.booting != 0)) record.last_demand_ns = now_ns;
  trace_.note(index, view, decision, decided, now_ns, record);
  run(index, now_ns);
}

// A service that the config no longer has: its instances are drained, then it is forgotten.
void ControlLoop::wind_down(ServiceIndex index, ServiceSnapshot& snapshot, uint64_t now_ns) {
  if (config_.of(index).name.empty()) return;
  plan_wind_down(snapshot, now_ns, plan_);
  run(index, now_ns);
  pool_.share_again();
  if (pool_.size_of(index) == 0 && !snapshot.syns_held) forget(index);
}

void ControlLoop::forget(ServiceIndex index) {
  log::info("{}: removed", config_.of(index).name);
  Config next = *config_.now;
  next.services[index.value] = ServiceConfig{.removed = true, .instances_max = 0};
  records_[index.value] = ServiceRecord{.forgotten_in = steering_.next_version()};
  pool_.forget(index);
  observer_.forget(index);
  trace_.forget(index);
  config_.now = std::make_shared<const Config>(std::move(next));
  steering_.change_services();
}

void ControlLoop::resize_parts() {
  looks_.resize(records_.size());
  observer_.resize(records_.size());
  trace_.resize(records_.size());
}

// What was decided becomes known to the workers, then to the drivers.
void ControlLoop::publish_and_act() {
  busy_ |= steering_.changed() || orders_.starts_some();
  if (steering_.changed()) publish();
  orders_.give();
  trace_.write(config_);
}

void ControlLoop::publish() {
  std::vector<bool> refusing;
  refusing.reserve(records_.size());
  for (uint16_t index = 0; index < records_.size(); ++index) {
    refusing.push_back(records_[index].refusing || config_.of(ServiceIndex{index}).removed);
  }
  steering_.publish(config_, refusing);
}

CommandAnswer ControlLoop::execute(const ControlCommand& command, uint64_t now_ns) {
  return commands_.execute(command, shutting_down_, now_ns);
}

std::string ControlLoop::name_of(const Instance& instance) const {
  return instance_name(*config_.now, instance);
}

}  // namespace cheshire
