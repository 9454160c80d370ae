// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/telemetry/cold_start_book.h"

#include <utility>

#include "units.h"

namespace cheshire {
namespace {

constexpr size_t kColdStartsKept = 256;

}  // namespace

bool ColdStartBook::note(const Instance& instance, const SlotLoad& load, const std::string& name) {
  const uint64_t seen_ns = load.syn_seen_ns.get();
  // Nobody waited for it: it was booted ahead of its first client.
  // A SYN of the same round may bear a time just after its start.
  if (!instance.awaited || seen_ns == 0 || seen_ns > instance.ordered_ns + kNsPerMs) return false;
  const auto since_seen = [seen_ns](uint64_t time_ns) { return time_ns > seen_ns ? time_ns - seen_ns : 0; };

  ColdStart start;
  start.number = ++seen_;
  start.service = instance.service;
  start.instance = instance.id;
  start.name = name;
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
  newest_.push_back(std::move(start));
  if (newest_.size() > kColdStartsKept) newest_.pop_front();
  return true;
}

}  // namespace cheshire
