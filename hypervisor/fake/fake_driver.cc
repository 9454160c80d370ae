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
  advance_to_clock();
  CHECK(!instances_.contains(order.id));
  const auto own = scripts_.find(boots_.size());
  const FakeScript script = own != scripts_.end() ? own->second : default_script_;
  boots_.push_back({now_ns_, order});
  const InstanceId id = order.id;
  instances_[id] = {std::move(order), script};
  const uint64_t spawn_ns = now_ns_ + script.spawn_delay_ns;
  if (!script.start_failure.empty()) {
    schedule(spawn_ns, {Step::kExit, id, script.start_failure});
  } else if (script.spawns) {
    schedule(spawn_ns, {Step::kSpawn, id, {}});
  }
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
  switch (due.step) {
    case Step::kSpawn:
      spawn(due.id, found->second);
      return;
    case Step::kGuestUp:
      // A copy: the hook may end the instance.
      if (on_guest_up) on_guest_up(BootOrder(found->second.order), now_ns_);
      return;
    case Step::kExit:
      instances_.erase(found);
      events_.push_back({.kind = DriverEventKind::kExited,
                         .id = due.id,
                         .time_ns = now_ns_,
                         .pid = 0,
                         .reason = due.reason});
      return;
  }
}

void FakeDriver::spawn(InstanceId id, const Instance& instance) {
  events_.push_back(
      {.kind = DriverEventKind::kSpawned, .id = id, .time_ns = now_ns_, .pid = 0, .reason = {}});
  const FakeScript& script = instance.script;
  if (script.guest_up_after_ns) schedule(now_ns_ + *script.guest_up_after_ns, {Step::kGuestUp, id, {}});
  if (script.dies_after_ns) schedule(now_ns_ + *script.dies_after_ns, {Step::kExit, id, script.death_reason});
}

}  // namespace cheshire
