// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/fake/fake_driver.h"

#include <algorithm>

#include "check.h"

namespace cheshire {

void FakeDriver::advance_to(uint64_t now_ns) {
  while (!agenda_.empty() && agenda_.begin()->first <= now_ns) {
    const auto first = agenda_.begin();
    now_ns_ = std::max(now_ns_, first->first);
    const Due due = std::move(first->second);
    agenda_.erase(first);
    happen(due);
  }
  now_ns_ = std::max(now_ns_, now_ns);
}

void FakeDriver::advance_to_clock() {
  if (clock_) advance_to(clock_());
}

std::optional<uint64_t> FakeDriver::next_due_ns() const {
  if (agenda_.empty()) return std::nullopt;
  return agenda_.begin()->first;
}

void FakeDriver::boot(BootOrder order) {
  start(std::move(order), true);
}

void FakeDriver::prepare(BootOrder order) {
  start(std::move(order), false);
}

void FakeDriver::start(BootOrder order, bool runs) {
  advance_to_clock();
  CHECK(!instances_.contains(order.id));
  const auto own = scripts_.find(boots_.size());
  const FakeScript script = own != scripts_.end() ? own->second : default_script_;
  boots_.push_back({now_ns_, order});
  const InstanceId id = order.id;
  instances_[id] = {.order = std::move(order), .script = script, .runs = runs};
  const uint64_t spawn_ns = now_ns_ + script.spawn_delay_ns;
  if (!script.start_failure.empty()) {
    schedule(spawn_ns, {Step::kExit, id, script.start_failure});
  } else if (script.spawns) {
    schedule(spawn_ns, {Step::kSpawn, id, {}});
  }
}

void FakeDriver::run(InstanceId id) {
  advance_to_clock();
  const auto found = instances_.find(id);
  if (found == instances_.end() || found->second.stopping) return;
  Instance& instance = found->second;
  if (instance.state == State::kBooting) instance.runs = true;
  if (instance.state == State::kShell)
    set_running(id, instance, instance.script.guest_up_after_ns.value_or(0));
  if (instance.state == State::kPaused) set_running(id, instance, instance.script.resume_delay_ns);
}

void FakeDriver::pause(InstanceId id) {
  advance_to_clock();
  const auto found = instances_.find(id);
  if (found == instances_.end() || found->second.stopping || found->second.state != State::kRunning) return;
  std::erase_if(agenda_, [&](const auto& entry) {
    return entry.second.id == id &&
           (entry.second.step == Step::kGuestUp || entry.second.step == Step::kPaused);
  });
  schedule(now_ns_ + found->second.script.pause_delay_ns, {Step::kPaused, id, {}});
}

std::optional<VmUsage> FakeDriver::usage(InstanceId id) {
  advance_to_clock();
  const auto found = instances_.find(id);
  if (found == instances_.end()) return std::nullopt;
  const Instance& instance = found->second;
  uint64_t ran_ns = instance.ran_ns;
  if (instance.state == State::kRunning) ran_ns += now_ns_ - instance.running_since_ns;
  return VmUsage{.time_ns = now_ns_,
                 .cpu_ns = ran_ns * instance.script.cpu_millicores / 1000,
                 .memory_bytes = instance.script.memory_bytes};
}

void FakeDriver::stop(InstanceId id) {
  advance_to_clock();
  stops_.push_back({now_ns_, id});
  const auto instance = instances_.find(id);
  if (instance == instances_.end() || instance->second.stopping) return;
  instance->second.stopping = true;
  unschedule(id);
  schedule(now_ns_ + instance->second.script.stop_delay_ns, {Step::kExit, id, "stopped"});
}

void FakeDriver::crash(InstanceId id, const std::string& reason) {
  advance_to_clock();
  if (!instances_.contains(id)) return;
  unschedule(id);
  happen({Step::kExit, id, reason});
}

std::optional<DriverEvent> FakeDriver::next_event() {
  advance_to_clock();
  if (events_.empty()) return std::nullopt;
  DriverEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void FakeDriver::unschedule(InstanceId id) {
  std::erase_if(agenda_, [&](const auto& entry) { return entry.second.id == id; });
}

void FakeDriver::happen(const Due& due) {
  const auto found = instances_.find(due.id);
  CHECK(found != instances_.end());
  Instance& instance = found->second;
  switch (due.step) {
    case Step::kSpawn:
      return spawn(due.id, instance);
    case Step::kPrepared:
      instance.state = State::kShell;
      tell(DriverEventKind::kPrepared, due.id);
      if (instance.runs) set_running(due.id, instance, instance.script.guest_up_after_ns.value_or(0));
      return;
    case Step::kGuestUp:
      // A copy: the hook may end the instance.
      if (on_guest_up) on_guest_up(BootOrder(instance.order), now_ns_);
      return;
    case Step::kPaused:
      instance.ran_ns += now_ns_ - instance.running_since_ns;
      instance.state = State::kPaused;
      return tell(DriverEventKind::kPaused, due.id);
    case Step::kExit:
      unschedule(due.id);  // what the dead one would still have done
      instances_.erase(found);
      return tell(DriverEventKind::kExited, due.id, due.reason);
  }
}

void FakeDriver::spawn(InstanceId id, Instance& instance) {
  tell(DriverEventKind::kSpawned, id);
  const FakeScript& script = instance.script;
  if (instance.runs) {
    set_running(id, instance, script.guest_up_after_ns.value_or(0));
  } else {
    schedule(now_ns_ + script.prepare_delay_ns, {Step::kPrepared, id, {}});
  }
  if (script.dies_after_ns) schedule(now_ns_ + *script.dies_after_ns, {Step::kExit, id, script.death_reason});
}

void FakeDriver::set_running(InstanceId id, Instance& instance, uint64_t up_after_ns) {
  instance.state = State::kRunning;
  instance.running_since_ns = now_ns_;
  if (instance.script.guest_up_after_ns) schedule(now_ns_ + up_after_ns, {Step::kGuestUp, id, {}});
}

void FakeDriver::tell(DriverEventKind kind, InstanceId id, std::string reason) {
  // It makes no process: all the time from the order to the spawn is the driver's.
  events_.push_back({.kind = kind,
                     .id = id,
                     .time_ns = now_ns_,
                     .began_ns = now_ns_,
                     .pid = 0,
                     .reason = std::move(reason)});
}

}  // namespace cheshire
