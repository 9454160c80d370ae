// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Observe: what the load board says about each instance, and the steps that follow from it alone.

#include <algorithm>

#include "controlplane/control_loop.h"
#include "log.h"

namespace cheshire {
namespace {

// The last ACK of a FIN, or a reset of ours, may still be on its way through the guest's ring when the last
// flow has ended.
constexpr uint64_t kDrainGraceNs = 5 * kNsPerMs;

}  // namespace

void ControlLoop::observe_instance(Instance& instance, uint64_t now_ns) {
  if (!instance.listed()) {
    if (instance.state == InstanceState::kPreparing &&
        now_ns - instance.ordered_ns >= config_of(instance).boot_deadline_ns) {
      fail(instance, "it was not prepared within boot_deadline", now_ns);
    }
    return;
  }
  const SlotLoad& load = load_of(instance);
  if (load.dead_generation.observe() == instance.id.generation.value) {
    return fail(instance,
                std::string("its vhost-user port went away while it was ") + to_string(instance.state),
                now_ns);
  }
  const uint64_t opened = load.flows_opened.get();
  if (load.in_flight.get() != 0 || opened != instance.flows_opened) instance.busy_ns = now_ns;
  instance.flows_opened = opened;
  const uint64_t packets = load.packets_to_guest.get() + load.packets_from_guest.get();
  if (packets != instance.packets) instance.moved_ns = now_ns;
  instance.packets = packets;

  switch (instance.state) {
    case InstanceState::kWarming:
    case InstanceState::kBooting:
      return observe_booting(instance, now_ns);
    case InstanceState::kActive:
      return observe_health(instance, now_ns);
    case InstanceState::kDraining:
      observe_health(instance, now_ns);
      if (instance.state == InstanceState::kDraining) observe_draining(instance, now_ns);
      return;
    case InstanceState::kPausing:
      return observe_pausing(instance, now_ns);
    case InstanceState::kStandby:
      if (load.wake_since_ns.get() != 0) resume(instance, now_ns);
      return;
    default:
      return;
  }
}

void ControlLoop::observe_booting(Instance& instance, uint64_t now_ns) {
  const SlotLoad& load = load_of(instance);
  if (load.ready_generation.observe() == instance.id.generation.value) {
    if (instance.state == InstanceState::kBooting) return became_active(instance, now_ns);
    return begin_pause(instance, LifeCause::kAnswered, now_ns);
  }
  const uint64_t deadline_ns = config_of(instance).boot_deadline_ns;
  const bool attached = load.attached_generation.observe() == instance.id.generation.value;
  const uint64_t asked_ns = load.unanswered_since_ns.get();
  if (attached && asked_ns == 0) return;  // nobody asks: it may stay unproven
  // The deadline counts from the order; where nobody asked in that time, from the first who did.
  const bool asked_late = asked_ns >= instance.ordered_ns + deadline_ns;
  if (now_ns < (asked_late ? asked_ns : instance.ordered_ns) + deadline_ns) return;
  fail(instance,
       attached ? "it did not answer a SYN within boot_deadline"
                : "its network device was not up within boot_deadline",
       now_ns);
}

void ControlLoop::became_active(Instance& instance, uint64_t now_ns) {
  change_state(instance, LifeCause::kAnswered, now_ns);
  record_cold_start(instance);
  log::info("{}: ready {:.2f} ms after its boot order", name_of(instance),
            ns_to_ms(now_ns - instance.ordered_ns));
}

void ControlLoop::observe_draining(Instance& instance, uint64_t now_ns) {
  const SlotLoad& load = load_of(instance);
  // Before every worker has seen the table, one may still give it a flow.
  const bool empty = load.in_flight.get() == 0 && links_.steering->passed_by_all(instance.table_version);
  if (!empty) {
    instance.empty_since_ns = 0;
  } else if (instance.empty_since_ns == 0) {
    instance.empty_since_ns = now_ns;
  } else if (now_ns - instance.empty_since_ns >= kDrainGraceNs) {
    return standby_wanted(instance) ? begin_pause(instance, LifeCause::kKept, now_ns)
                                    : leave(instance, LifeCause::kDrained, now_ns);
  }
  if (now_ns - instance.drain_began_ns >= config_of(instance).drain_deadline_ns) {
    log::warn("{}: drain deadline passed, {} flows are reset", name_of(instance), load.in_flight.get());
    leave(instance, LifeCause::kDrainExpired, now_ns);
  }
}

// The vCPU is paused only when no worker counts on the instance any more; kPaused from the driver follows.
void ControlLoop::observe_pausing(Instance& instance, uint64_t now_ns) {
  if (instance.pause_ordered_ns == 0) {
    if (!links_.steering->passed_by_all(instance.table_version)) return;
    // Until just now workers gave it packets as to one that runs: if they did, there is something to answer.
    const SlotLoad& load = load_of(instance);
    if (load.in_flight.get() != 0 && instance.packets != instance.pause_packets) {
      return call_off_pause(instance, now_ns);
    }
    instance.pause_ordered_ns = now_ns;
    instance.ordered_ns = now_ns;
    driver_of(instance).pause(instance.id);
  } else if (now_ns - instance.pause_ordered_ns >= config_of(instance).boot_deadline_ns) {
    fail(instance, "its vCPU did not pause within boot_deadline", now_ns);
  }
}

bool ControlLoop::is_quiet(const Instance& instance, uint64_t now_ns) const {
  return load_of(instance).in_flight.get() == 0 &&
         now_ns - std::max(instance.busy_ns, instance.ordered_ns) >= config_of(instance).idle_after_ns;
}

// Open flows, not a packet of them for a while, and none whose client waits for an answer.
bool ControlLoop::is_pausable(const Instance& instance, uint64_t now_ns) const {
  const ServiceConfig& config = config_of(instance);
  return config.idle == IdleAction::kPause && instance.state == InstanceState::kActive &&
         load_of(instance).in_flight.get() != 0 && load_of(instance).flows_owing.get() == 0 &&
         now_ns - instance.moved_ns >= config.idle_after_ns && driver_of(instance).has_tiers();
}

}  // namespace cheshire
