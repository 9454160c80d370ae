// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The control loop's accounts: cold starts, and the copy of its state that telemetry reads.
#include <algorithm>

#include "controlplane/control_loop.h"

namespace cheshire {
namespace {

constexpr uint64_t kStatusIntervalNs = 5 * kNsPerMs;
constexpr size_t kColdStartsKept = 256;

}  // namespace

void ControlLoop::record_cold_start(const Instance& instance) {
  const SlotLoad& load = load_of(instance);
  const uint64_t seen_ns = load.syn_seen_ns.get();
  // Nobody waited for it: it was booted ahead of its first client.
  // A SYN of the same round may bear a time just after its start.
  if (!instance.awaited || seen_ns == 0 || seen_ns > instance.ordered_ns + kNsPerMs) return;
  const auto since_seen = [seen_ns](uint64_t time_ns) { return time_ns > seen_ns ? time_ns - seen_ns : 0; };

  ColdStart start;
  start.number = ++cold_starts_seen_;
  start.service = instance.service;
  start.instance = instance.id;
  start.name = name_of(instance);
  start.tier = instance.tier;
  start.boot_ordered_ns = since_seen(instance.ordered_ns);
  start.spawn_began_ns = since_seen(instance.spawn_began_ns);
  start.spawned_ns = since_seen(instance.spawned_ns);
  start.vhost_connected_ns = since_seen(load.connected_ns.get());
  start.ring_up_ns = since_seen(load.ring_up_ns.get());
  start.syn_delivered_ns = since_seen(load.syn_delivered_ns.get());
  start.syn_ack_ns = since_seen(load.syn_ack_ns.get());
  start.on_wire_ns = since_seen(load.on_wire_ns.get());
  const auto between = [](uint64_t from_ns, uint64_t to_ns) { return to_ns > from_ns ? to_ns - from_ns : 0; };
  start.own_ns = start.boot_ordered_ns + between(start.boot_ordered_ns, start.spawn_began_ns) +
                 load.messages_ns.get() + between(start.ring_up_ns, start.syn_delivered_ns) +
                 between(start.syn_ack_ns, start.on_wire_ns);
  ++services_[instance.service.value].status.cold_starts;
  cold_starts_.push_back(start);
  if (cold_starts_.size() > kColdStartsKept) cold_starts_.pop_front();
}

void ControlLoop::show_status(uint64_t now_ns) {
  if (now_ns - status_shown_ns_ < kStatusIntervalNs && status_shown_ns_ != 0) return;
  status_shown_ns_ = now_ns;
  auto status = std::make_shared<Status>();
  status->time_ns = now_ns;
  status->config = config_;
  status->instances = instances_;
  status->usage.reserve(instances_.size());
  for (const Instance& instance : instances_) {
    const bool runs = instance.state != InstanceState::kAbsent;
    status->usage.push_back(runs ? driver_of(instance).usage(instance.id) : std::nullopt);
  }
  status->cold_starts = cold_starts_;
  status->services.reserve(services_.size());
  for (const Service& service : services_) {
    status->services.push_back(service.status);
    status->services.back().refusing = service.refusing;
  }
  for (const Instance& instance : instances_) {
    if (instance.service == kNobodys) continue;
    ServiceStatus& service = status->services[instance.service.value];
    switch (instance.state) {
      case InstanceState::kAbsent:
        break;
      case InstanceState::kPreparing:
      case InstanceState::kShell:
        ++service.shells;
        break;
      case InstanceState::kWarming:
      case InstanceState::kPausing:
      case InstanceState::kStandby:
        ++service.standby;
        break;
      case InstanceState::kBooting:
        ++service.booting;
        break;
      case InstanceState::kActive:
        ++service.active;
        break;
      case InstanceState::kDraining:
        ++service.draining;
        break;
      case InstanceState::kLeaving:
      case InstanceState::kStopping:
        ++service.stopping;
        break;
    }
  }
  links_.status->show(std::move(status));
}

}  // namespace cheshire
