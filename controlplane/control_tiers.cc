// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Act: from a wanted size to orders, always by the fastest tier there is, and the pools that keep tiers
// ready.

#include <algorithm>

#include "controlplane/config/command_line.h"
#include "controlplane/control_loop.h"
#include "log.h"

namespace cheshire {
namespace {

// Pools are refilled one instance at a time, when nobody has waited for a while: a client's boot never
// competes with one that nobody waits for.
constexpr uint64_t kRefillAfterNs = 20 * kNsPerMs;

}  // namespace

void ControlLoop::grow(ServiceIndex index, uint32_t by, uint64_t now_ns) {
  const auto each = [&](InstanceState state, auto&& act) {
    for (Instance& instance : instances_of(index)) {
      if (by == 0) return;
      if (instance.state != state || instance.retiring) continue;
      act(instance);
      chosen_.push_back(instance.id.slot);
      --by;
    }
  };
  each(InstanceState::kDraining, [&](Instance& instance) { call_back(instance, now_ns); });
  each(InstanceState::kStandby, [&](Instance& instance) { resume(instance, now_ns); });
  if (!services_[index.value].backoff.may_try(now_ns)) return;
  each(InstanceState::kShell,
       [&](Instance& instance) { start_shell(instance, LifeCause::kShellStarted, now_ns); });
  // What is being prepared, warmed or paused comes in time for the next client, not for this one.
  each(InstanceState::kAbsent, [&](Instance& instance) {
    begin(instance, LifeCause::kBootOrdered, now_ns);
    log::info("{}: boot ordered ({} SYNs wait)", name_of(instance),
              links_.board->service(index).waiting_syns.get());
  });
}

// The emptiest first. `idle` takes only those that had no flow for a while; whoever else wants less drains an
// instance with its flows still open.
void ControlLoop::shrink(ServiceIndex index, uint32_t by, Reason reason, uint64_t now_ns) {
  const bool only_quiet = reason == Reason::kIdle;
  for (; by > 0; --by) {
    Instance* const victim = victim_of(index, [&](const Instance& instance) {
      return !instance.replaces && (!only_quiet || is_quiet(instance, now_ns));
    });
    if (victim == nullptr) return;
    drain(*victim, now_ns);
    chosen_.push_back(victim->id.slot);
  }
}

// Among equals one of an old image, then the last slot, as new flows prefer the first.
Instance* ControlLoop::victim_of(ServiceIndex index, const std::function<bool(const Instance&)>& is_one) {
  Instance* victim = nullptr;
  const uint32_t revision = services_[index.value].revision;
  const auto rank = [&](const Instance& instance) {
    return std::pair(load_of(instance).in_flight.get(), instance.revision == revision);
  };
  for (Instance& instance : instances_of(index)) {
    if (!instance.counts() || !is_one(instance)) continue;
    if (victim == nullptr || rank(instance) <= rank(*victim)) victim = &instance;
  }
  return victim;
}

// A new generation in the slot: booted for somebody or for the standby pool, or only prepared.
void ControlLoop::begin(Instance& instance, LifeCause cause, uint64_t now_ns) {
  const ServiceConfig& service = config_of(instance);
  const ImageConfig& image = config_->images[service.image];
  const SlotLoad& load = load_of(instance);
  begin_generation(instance, cause,
                   {.driver = image.driver,
                    .revision = services_[instance.service.value].revision,
                    .awaited = somebody_waits(instance.service),
                    .flows_opened = load.flows_opened.get(),
                    .packets = load.packets_to_guest.get() + load.packets_from_guest.get()},
                   now_ns);
  if (instance.listed()) change_table(instance);
  ++services_[instance.service.value].status.boots;
  orders_.push_back({.id = instance.id,
                     .name = name_of(instance),
                     .kernel = image.kernel,
                     .memory_bytes = image.memory_bytes,
                     .command_line = expand_command_line(image, service),
                     .mac = kGuestMac,
                     .vhost_socket = links_.vhost_socket(instance.id.slot),
                     .accelerator = image.accelerator,
                     .hugepages = image.hugepages});
}

void ControlLoop::start_shell(Instance& instance, LifeCause cause, uint64_t now_ns) {
  change_state(instance, cause, now_ns);
  instance.awaited = somebody_waits(instance.service);
  change_table(instance);
  runs_.push_back(instance.id);
  if (cause == LifeCause::kShellStarted) log::info("{}: shell started", name_of(instance));
}

void ControlLoop::resume(Instance& instance, uint64_t now_ns) {
  change_state(instance, LifeCause::kResumed, now_ns);
  instance.awaited = somebody_waits(instance.service);
  change_table(instance);
  runs_.push_back(instance.id);
  log::info("{}: resumed", name_of(instance));
}

void ControlLoop::call_back(Instance& instance, uint64_t now_ns) {
  change_state(instance, instance.was_ready() ? LifeCause::kCalledBack : LifeCause::kCalledBackCold, now_ns);
  change_table(instance);
  log::info("{}: called back from draining", name_of(instance));
}

void ControlLoop::drain(Instance& instance, uint64_t now_ns) {
  change_state(instance, LifeCause::kDrainOrdered, now_ns);
  change_table(instance);
  if (const uint64_t flows = load_of(instance).in_flight.get(); flows != 0) {
    log::info("{}: draining, {} flows are open", name_of(instance), flows);
  } else {
    log::info("{}: draining after {:.0f} ms without a flow", name_of(instance),
              ns_to_ms(now_ns - instance.busy_ns));
  }
}

// Shown as standby first; the vCPU is paused when every worker has seen that (observe_pausing).
void ControlLoop::begin_pause(Instance& instance, LifeCause cause, uint64_t now_ns) {
  change_state(instance, cause, now_ns);
  change_table(instance);
}

void ControlLoop::call_off_pause(Instance& instance, uint64_t now_ns) {
  change_state(instance, LifeCause::kPauseCalledOff, now_ns);
  change_table(instance);
}

void ControlLoop::pause_quiet(ServiceIndex index, uint64_t now_ns) {
  const uint32_t min = config_->services[index.value].instances_min;
  uint32_t size = count(index, [](const Instance& instance) { return instance.counts(); });
  for (Instance& instance : instances_of(index)) {
    if (size <= min || !is_pausable(instance, now_ns)) continue;
    log::info("{}: paused with {} quiet flows", name_of(instance), load_of(instance).in_flight.get());
    begin_pause(instance, LifeCause::kWentQuiet, now_ns);
    --size;
  }
}

bool ControlLoop::standby_wanted(const Instance& instance) const {
  const uint32_t there = count(instance.service, [](const Instance& other) {
    return other.state == InstanceState::kPausing || other.state == InstanceState::kStandby;
  });
  return !instance.retiring && driver_of(instance).has_tiers() && there < config_of(instance).standby;
}

// A config that was read anew may want fewer, and a sleeper may have lost its flows to their timeout.
void ControlLoop::trim_pool(ServiceIndex index, InstanceState state, uint32_t wanted, uint64_t now_ns) {
  uint32_t there = 0;
  for (Instance& instance : instances_of(index)) {
    if (instance.state != state || load_of(instance).in_flight.get() != 0) continue;
    if (++there > wanted) leave(instance, LifeCause::kDismissed, now_ns);
  }
}

void ControlLoop::keep_pools(ServiceIndex index, const ServiceView& view, uint64_t now_ns) {
  Service& service = services_[index.value];
  const ServiceConfig& config = config_->services[index.value];
  trim_pool(index, InstanceState::kShell, config.shells, now_ns);
  trim_pool(index, InstanceState::kStandby, config.standby, now_ns);
  if (config.shells == 0 && config.standby == 0) return;
  const auto in = [&](std::initializer_list<InstanceState> states) {
    return count(index, [&](const Instance& instance) {
      return std::find(states.begin(), states.end(), instance.state) != states.end();
    });
  };
  if (view.waiting_syns != 0 || view.booting != 0) service.last_demand_ns = now_ns;
  const bool busy = in({InstanceState::kPreparing, InstanceState::kWarming, InstanceState::kPausing}) != 0;
  if (busy || now_ns - service.last_demand_ns < kRefillAfterNs || !service.backoff.may_try(now_ns)) return;

  const auto first_in = [&](InstanceState state) -> Instance* {
    const auto instances = instances_of(index);
    const auto found = std::find_if(instances.begin(), instances.end(),
                                    [state](const Instance& instance) { return instance.state == state; });
    return found == instances.end() ? nullptr : &*found;
  };
  Instance* free = first_in(InstanceState::kAbsent);
  if (in({InstanceState::kStandby}) < config.standby) {
    if (Instance* shell = first_in(InstanceState::kShell); shell != nullptr) {
      start_shell(*shell, LifeCause::kWarmingOrdered, now_ns);
    } else if (free != nullptr && driver_for(index).has_tiers()) {
      begin(*free, LifeCause::kWarmingOrdered, now_ns);
    }
  } else if (in({InstanceState::kShell}) < config.shells && free != nullptr &&
             driver_for(index).has_tiers()) {
    begin(*free, LifeCause::kShellOrdered, now_ns);
  }
}

}  // namespace cheshire
