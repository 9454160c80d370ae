// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/plan_runner.h"

#include "check.h"
#include "controlplane/config/command_line.h"
#include "log.h"

namespace cheshire {

void PlanRunner::run(ServiceIndex service, const Plan& plan, uint64_t now_ns) {
  for (const Action& action : plan.actions) run(service, action, now_ns);
}

void PlanRunner::run(ServiceIndex service, const Action& action, uint64_t now_ns) {
  Instance& instance = to_.pool.at(action.slot);
  switch (action.kind) {
    case ActionKind::kBeginSuccessor:
      if (instance.service == kNobodys) CHECK(to_.pool.find_free(service) == &instance);
      return begin(instance, action, now_ns);
    case ActionKind::kBegin:
      return begin(instance, action, now_ns);
    case ActionKind::kChange:
      return change(instance, action, now_ns);
    case ActionKind::kFail:
      if (action.silent) ++to_.records[service.value].status.silent;
      return fail(instance, action.why, now_ns);
    case ActionKind::kOrderPause:
      play(instance, action, {}, now_ns);
      return to_.orders.pause(instance.id);
    case ActionKind::kProve:
      to_.records[service.value].backoff.succeeded();
      return play(instance, action, {}, now_ns);
    case ActionKind::kRetire:
    case ActionKind::kSucceed:
      return play(instance, action, {}, now_ns);
    case ActionKind::kServeAsLast:
    case ActionKind::kStopServing:
      play(instance, action, {}, now_ns);
      if (instance.state == InstanceState::kDraining) to_.steering.change(instance);
      return;
  }
}

void PlanRunner::begin(Instance& instance, const Action& action, uint64_t now_ns) {
  const ServiceConfig& service = to_.config.of(instance.service);
  const ImageConfig& image = to_.config.now->images[service.image];
  const SlotLoad& load = to_.board.slot(instance.id.slot);
  ServiceRecord& record = to_.records[instance.service.value];
  play(instance, action,
       {.driver = image.driver,
        .revision = record.revision,
        .awaited = syns_wait(instance.service),
        .flows_opened = load.flows_opened.get(),
        .packets = load.packets_to_guest.get() + load.packets_from_guest.get()},
       now_ns);
  if (instance.listed()) to_.steering.change(instance);
  ++record.status.boots;
  to_.orders.begin({.id = instance.id,
                    .name = name_of(instance),
                    .kernel = image.kernel,
                    .memory_bytes = image.memory_bytes,
                    .command_line = expand_command_line(image, service),
                    .mac = kGuestMac,
                    .vhost_socket = to_.vhost_socket(instance.id.slot),
                    .accelerator = image.accelerator,
                    .hugepages = image.hugepages});
  if (action.kind == ActionKind::kBeginSuccessor) {
    log::info("{}: boot ordered, to replace one of the old image", name_of(instance));
  } else if (action.cause == LifeCause::kBootOrdered) {
    log::info("{}: boot ordered ({} SYNs wait)", name_of(instance),
              to_.board.service(instance.service).waiting_syns.get());
  }
}

void PlanRunner::change(Instance& instance, const Action& action, uint64_t now_ns) {
  play(instance, action, {}, now_ns);
  if (action.cause == LifeCause::kAnswered && instance.state == InstanceState::kActive) {
    const bool counts = to_.cold_starts.note(instance, to_.board.slot(instance.id.slot), name_of(instance));
    if (counts) ++to_.records[instance.service.value].status.cold_starts;
    // It accepts flows as it did before: the table says the same of it.
    return log_change(instance, action.cause, now_ns);
  }
  if (action.cause == LifeCause::kShellStarted || action.cause == LifeCause::kWarmingOrdered ||
      action.cause == LifeCause::kResumed) {
    instance.awaited = syns_wait(instance.service);
    to_.orders.run(instance.id);
  }
  if (instance.state == InstanceState::kLeaving) to_.departures.begin(instance.id.slot);
  to_.steering.change(instance);
  log_change(instance, action.cause, now_ns);
}

void PlanRunner::log_change(const Instance& instance, LifeCause cause, uint64_t now_ns) const {
  const uint64_t flows = to_.board.slot(instance.id.slot).in_flight.get();
  switch (cause) {
    case LifeCause::kAnswered:
      if (instance.state != InstanceState::kActive) return;
      return log::info("{}: ready {:.2f} ms after its boot order", name_of(instance),
                       ns_to_ms(now_ns - instance.ordered_ns));
    case LifeCause::kShellStarted:
      return log::info("{}: shell started", name_of(instance));
    case LifeCause::kResumed:
      return log::info("{}: resumed", name_of(instance));
    case LifeCause::kCalledBack:
    case LifeCause::kCalledBackCold:
      return log::info("{}: called back from draining", name_of(instance));
    case LifeCause::kDrainOrdered:
      if (flows != 0) return log::info("{}: draining, {} flows are open", name_of(instance), flows);
      return log::info("{}: draining after {:.0f} ms without a flow", name_of(instance),
                       ns_to_ms(now_ns - instance.busy_ns));
    case LifeCause::kDrainExpired:
      return log::warn("{}: drain deadline passed, {} flows are reset", name_of(instance), flows);
    case LifeCause::kWentQuiet:
      return log::info("{}: paused with {} quiet flows", name_of(instance), flows);
    default:
      return;
  }
}

void PlanRunner::fail(Instance& instance, const std::string& why, uint64_t now_ns) {
  ServiceRecord& record = to_.records[instance.service.value];
  if (dies_young(instance, now_ns)) record.backoff.failed(now_ns);
  if (!instance.was_ready()) ++record.status.boots_failed;
  log::warn("{}: failed: {}{}", name_of(instance), why,
            record.backoff.failures() >= BootBackoff::kFailuresBeforeRefusing
                ? "; boots fail again and again, new connections are refused for a while"
                : "");
  change_state(instance, LifeCause::kFailed, now_ns);
  to_.departures.begin(instance.id.slot);
  to_.steering.change(instance);
}

std::string PlanRunner::name_of(const Instance& instance) const {
  return instance_name(*to_.config.now, instance);
}

}  // namespace cheshire
