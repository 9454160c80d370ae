// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/control_loop.h"

#include <algorithm>

#include "check.h"
#include "controlplane/fleet/table_builder.h"
#include "log.h"

namespace cheshire {
namespace {

// Bounds of one round: it ends, however much comes. A service with more slots is looked at as a whole.
constexpr size_t kRecordsPerRound = 16384;  // of each worker
constexpr size_t kSlotsPerRound = 64;

}  // namespace

ControlLoop::ControlLoop(const Config& config, ControlLinks links)
    : config_(std::make_shared<const Config>(config)),
      file_config_(config_),
      links_(std::move(links)),
      services_(config.services.size()),
      instances_(config.slots()),
      table_builder_(config.slots()) {
  for (uint16_t slot = 0; slot < instances_.size(); ++slot) {
    instances_[slot].id.slot = SlotIndex{slot};
    pool_.push_back(&instances_[slot]);
  }
  share_slots();
  orders_.reserve(instances_.size());
}

bool ControlLoop::tick(uint64_t now_ns) {
  busy_ = false;
  take_load_records();
  take_driver_events(now_ns);
  share_slots();
  look_at_all(to_look_first_, now_ns);
  look_at_some_more();
  look_at_all(to_look_, now_ns);
  busy_ |= !departing_.empty();
  progress_departures(now_ns);
  show_status(now_ns);
  return busy_;
}

void ControlLoop::look_at_all(std::vector<ServiceIndex>& services, uint64_t now_ns) {
  for (const ServiceIndex index : services) look_at(index, now_ns);
  services.clear();
  act(now_ns);
}

// What was decided becomes known to the workers, then to the drivers.
void ControlLoop::act(uint64_t now_ns) {
  busy_ |= table_changed_ || !orders_.empty() || !runs_.empty();
  if (table_changed_) publish();
  for (BootOrder& order : orders_) {
    Instance& instance = instances_[order.id.slot.value];
    instance.ordered_ns = now_ns;
    if (instance.state == InstanceState::kPreparing) {
      driver_of(instance).prepare(std::move(order));
    } else {
      driver_of(instance).boot(std::move(order));
    }
  }
  orders_.clear();
  for (const InstanceId id : runs_) driver_of(instances_[id.slot.value]).run(id);
  runs_.clear();
  write_trace();
}

void ControlLoop::take_load_records() {
  LoadRecord record;
  for (SpscRing<LoadRecord>* ring : links_.load_rings) {
    for (size_t taken = 0; taken < kRecordsPerRound && ring->pop(record); ++taken) take_load_record(record);
  }
}

void ControlLoop::take_load_record(const LoadRecord& record) {
  busy_ = true;
  CHECK(record.version == kLoadRecordVersion && record.service.value < services_.size());
  services_[record.service.value].meter.take(record);
  if (record.edge == LoadEdge::kPeriodic) return to_look_at(record.service);
  to_look_at_first(record.service);
}

void ControlLoop::to_look_at(ServiceIndex index) {
  Service& service = services_[index.value];
  if (service.to_look) return;
  service.to_look = true;
  to_look_.push_back(index);
}

void ControlLoop::to_look_at_first(ServiceIndex index) {
  Service& service = services_[index.value];
  if (service.to_look_first) return;
  service.to_look_first = true;
  to_look_first_.push_back(index);
}

// Services in turn, so many per round that small configs are looked at as a whole.
void ControlLoop::look_at_some_more() {
  size_t slots = 0;
  for (size_t seen = 0; seen < services_.size() && slots < kSlotsPerRound; ++seen) {
    slots += services_[looked_at_].instances.size();
    to_look_at(ServiceIndex{static_cast<uint16_t>(looked_at_)});
    looked_at_ = (looked_at_ + 1) % services_.size();
  }
}

void ControlLoop::look_at(ServiceIndex index, uint64_t now_ns) {
  Service& service = services_[index.value];
  if (!service.to_look && !service.to_look_first) return;  // it was among the first of this round
  service.to_look = service.to_look_first = false;
  for (Instance& instance : instances_of(index)) observe_instance(instance, now_ns);
  run_service(index, now_ns);
}

void ControlLoop::take_driver_events(uint64_t now_ns) {
  for (const auto& [kind, driver] : links_.drivers) {
    while (const std::optional<DriverEvent> event = driver->next_event()) {
      Instance& instance = instances_[event->id.slot.value];
      if (!(instance.id == event->id)) continue;
      busy_ = true;
      to_look_at_first(instance.service);
      take_driver_event(instance, *event, now_ns);
    }
  }
}

void ControlLoop::take_driver_event(Instance& instance, const DriverEvent& event, uint64_t now_ns) {
  switch (event.kind) {
    case DriverEventKind::kSpawned:
      instance.pid = event.pid;
      instance.spawn_began_ns = event.began_ns;
      instance.spawned_ns = event.time_ns;
      return;
    case DriverEventKind::kPrepared:
      if (instance.state == InstanceState::kPreparing) change_state(instance, LifeCause::kShellMade, now_ns);
      return;
    case DriverEventKind::kPaused:
      if (instance.state == InstanceState::kPausing) change_state(instance, LifeCause::kPaused, now_ns);
      return;
    case DriverEventKind::kExited:
      instance.process_gone = true;
      if (next_state(instance.state, LifeCause::kFailed)) {
        fail(instance, event.reason, now_ns);
      }
      return;
  }
}

ServiceView ControlLoop::view_of(ServiceIndex index, uint64_t now_ns) {
  Service& service = services_[index.value];
  const ServiceConfig& config = config_->services[index.value];
  ServiceView view{.grew_ns = service.grew_ns, .shrank_ns = service.shrank_ns};
  for (const Instance& instance : instances_of(index)) {
    if (instance.state == InstanceState::kDraining) ++view.draining;
    if (!instance.counts() || instance.replaces) continue;
    ++view.size;
    const bool booting = instance.state == InstanceState::kBooting;
    if (booting) ++view.booting;
    if (booting || now_ns - instance.ready_ns < config.warmup_ns) ++view.cold;
    if (is_quiet(instance, now_ns)) ++view.quiet;
    view.in_flight += static_cast<uint32_t>(load_of(instance).in_flight.get());
  }
  view.waiting_syns = static_cast<uint32_t>(links_.board->service(index).waiting_syns.get());
  take_usage(index, now_ns);
  service.meter.look(InstanceRange<const Instance>(service.instances), *links_.board, index, config, now_ns,
                     view);
  return view;
}

// Asking a driver takes a lock: only where a policy wants to know, and a few times per window.
void ControlLoop::take_usage(ServiceIndex index, uint64_t now_ns) {
  ServiceMeter& meter = services_[index.value].meter;
  const ServiceConfig& config = config_->services[index.value];
  if (!meter.wants_usage(config, now_ns)) return;
  size_t position = 0;
  for (const Instance& instance : instances_of(index)) {
    const size_t at = position++;
    if (instance.state != InstanceState::kActive) continue;
    if (const auto usage = driver_of(instance).usage(instance.id)) meter.take_usage(config, at, *usage);
  }
}

void ControlLoop::run_service(ServiceIndex index, uint64_t now_ns) {
  Service& service = services_[index.value];
  if (shutting_down_) {
    for (Instance& instance : instances_of(index)) {
      const bool here = instance.listed() || instance.state == InstanceState::kPreparing ||
                        instance.state == InstanceState::kShell;
      if (here) leave(instance, LifeCause::kShutDown, now_ns);
    }
    return;
  }
  if (config_->services[index.value].removed) return wind_down(index, now_ns);
  if (const bool refusing = service.backoff.refusing(now_ns); refusing != service.refusing) {
    service.refusing = refusing;
    table_changed_ = true;
  }
  const ServiceView view = view_of(index, now_ns);
  const Decision decision = decide(view, config_->services[index.value], now_ns);
  service.status.wanted = decision.wanted;
  service.status.metrics = view.metrics;
  service.status.metrics_valid = view.valid;
  chosen_.clear();
  if (decision.wanted > view.size) grow(index, decision.wanted - view.size, now_ns);
  if (decision.wanted < view.size) shrink(index, view.size - decision.wanted, decision.by, now_ns);
  if (!chosen_.empty()) (decision.wanted > view.size ? service.grew_ns : service.shrank_ns) = now_ns;
  trace(index, view, decision, now_ns);
  replace_outdated(index, now_ns);
  choose_last_resort(index);
  pause_quiet(index, now_ns);
  keep_pools(index, view, now_ns);
}

uint32_t ControlLoop::count(ServiceIndex index, const std::function<bool(const Instance&)>& is_one) const {
  const auto instances = instances_of(index);
  return static_cast<uint32_t>(std::count_if(instances.begin(), instances.end(), is_one));
}

void ControlLoop::fail(Instance& instance, const std::string& why, uint64_t now_ns) {
  Service& service = services_[instance.service.value];
  const bool young = instance.ready_ns == 0 || now_ns - instance.ready_ns < BootBackoff::kProvenAfterNs;
  if (young) service.backoff.failed(now_ns);
  if (instance.ready_ns == 0) ++service.status.boots_failed;
  log::warn("{}: failed: {}{}", name_of(instance), why,
            service.backoff.failures() >= BootBackoff::kFailuresBeforeRefusing
                ? "; boots fail again and again, new connections are refused for a while"
                : "");
  leave(instance, LifeCause::kFailed, now_ns);
}

void ControlLoop::leave(Instance& instance, LifeCause cause, uint64_t now_ns) {
  change_state(instance, cause, now_ns);
  departing_.push_back(instance.id.slot);
  change_table(instance);
}

// The instance's new role is in the next table that is published, at the end of this round.
void ControlLoop::change_table(Instance& instance) {
  instance.table_version = next_table_version_;
  table_builder_.set(instance);
  table_changed_ = true;
}

void ControlLoop::publish() {
  table_changed_ = false;
  std::vector<bool> refusing;
  refusing.reserve(services_.size());
  for (uint16_t index = 0; index < services_.size(); ++index) {
    refusing.push_back(services_[index].refusing || config_->services[index].removed);
  }
  auto table = table_builder_.build(config_, refusing);
  if (links_.published) links_.published(table);
  const uint64_t version = links_.steering->publish(std::move(table));
  CHECK(version == next_table_version_);
  ++next_table_version_;
}

void ControlLoop::progress_departures(uint64_t now_ns) {
  links_.steering->reclaim();
  for (const SlotIndex slot : departing_) {
    Instance& instance = instances_[slot.value];
    if (instance.state == InstanceState::kLeaving && links_.steering->passed_by_all(instance.table_version)) {
      change_state(instance, LifeCause::kForgotten, now_ns);
      if (!instance.process_gone) driver_of(instance).stop(instance.id);
    }
    if (instance.state == InstanceState::kStopping && instance.process_gone &&
        !links_.connected(instance.id.slot)) {
      log::info("{}: gone", name_of(instance));
      change_state(instance, LifeCause::kGone, now_ns);
      instance.sweeps_due = links_.board->worker(config_->worker_of(instance.service)).sweeps_begun.get();
    }
  }
  std::erase_if(departing_,
                [this](SlotIndex slot) { return instances_[slot.value].state == InstanceState::kAbsent; });
}

bool ControlLoop::all_gone() const {
  return std::all_of(instances_.begin(), instances_.end(),
                     [](const Instance& instance) { return instance.state == InstanceState::kAbsent; });
}

std::string ControlLoop::name_of(const Instance& instance) const {
  return instance_name(*config_, instance);
}

}  // namespace cheshire
