// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/control_loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "check.h"
#include "controlplane/config/command_line.h"
#include "controlplane/table_builder.h"

namespace cheshire {
namespace {

// A reset that the worker sent on behalf of the last flow, or the last ACK of a FIN, may still be on its way
// through the guest's ring when the last flow has ended.
constexpr uint64_t kDrainGraceNs = 5 * kNsPerMs;
// An instance that dies so soon after its first answer counts as a boot that failed.
constexpr uint64_t kYoungNs = kNsPerSecond;

double ms(uint64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

}  // namespace

ControlLoop::ControlLoop(const Config& config, ControlLinks links)
    : config_(config),
      links_(std::move(links)),
      services_(config.services.size()),
      instances_(config.slots()) {
  CHECK(links_.drivers.size() == config.images.size());
  for (uint16_t index = 0; index < services_.size(); ++index) {
    services_[index].first_slot = first_slot(config, ServiceIndex{index});
    for (Instance& instance : instances_of(ServiceIndex{index})) {
      instance.service = ServiceIndex{index};
      instance.id.slot = SlotIndex{static_cast<uint16_t>(&instance - instances_.data())};
    }
  }
  orders_.reserve(instances_.size());
}

void ControlLoop::tick(uint64_t now_ns) {
  drain_load_ring();
  take_driver_events(now_ns);
  for (Instance& instance : instances_) observe_instance(instance, now_ns);
  for (uint16_t index = 0; index < services_.size(); ++index) run_service(ServiceIndex{index}, now_ns);
  if (table_changed_) publish();
  for (BootOrder& order : orders_) {
    Instance& instance = instances_[order.id.slot.value];
    instance.ordered_ns = now_ns;
    driver_of(instance).boot(std::move(order));
  }
  orders_.clear();
  progress_departures();
  show_status(now_ns);
}

// The records say where to look; this loop looks everywhere each round, so they only have to be taken away.
void ControlLoop::drain_load_ring() {
  LoadRecord record;
  while (links_.load_ring->pop(record)) {
  }
}

void ControlLoop::take_driver_events(uint64_t now_ns) {
  for (size_t image = 0; image < links_.drivers.size(); ++image) {
    Driver* driver = links_.drivers[image];
    // Images share drivers.
    if (std::find(links_.drivers.begin(), links_.drivers.begin() + static_cast<ptrdiff_t>(image), driver) !=
        links_.drivers.begin() + static_cast<ptrdiff_t>(image)) {
      continue;
    }
    while (const std::optional<DriverEvent> event = driver->next_event()) {
      Instance& instance = instances_[event->id.slot.value];
      if (!(instance.id == event->id)) continue;
      if (event->kind == DriverEventKind::kSpawned) {
        instance.pid = event->pid;
        instance.spawned_ns = event->time_ns;
        continue;
      }
      instance.process_gone = true;
      if (instance.counts() || instance.state == InstanceState::kDraining) {
        fail(instance, event->reason, now_ns);
      }
    }
  }
}

void ControlLoop::observe_instance(Instance& instance, uint64_t now_ns) {
  const SlotLoad& load = load_of(instance);
  if (instance.counts()) {
    const uint64_t opened = load.flows_opened.get();
    if (load.in_flight.get() != 0 || opened != instance.flows_opened) instance.busy_ns = now_ns;
    instance.flows_opened = opened;
  }
  switch (instance.state) {
    case InstanceState::kBooting:
      return observe_booting(instance, now_ns);
    case InstanceState::kActive:
      if (load.dead_generation.observe() == instance.id.generation.value) {
        fail(instance, "its vhost-user port went away", now_ns);
      }
      return;
    case InstanceState::kDraining:
      return observe_draining(instance, now_ns);
    case InstanceState::kAbsent:
    case InstanceState::kLeaving:
    case InstanceState::kStopping:
      return;
  }
}

void ControlLoop::observe_booting(Instance& instance, uint64_t now_ns) {
  const SlotLoad& load = load_of(instance);
  if (load.ready_generation.observe() == instance.id.generation.value) return became_active(instance, now_ns);
  if (load.dead_generation.observe() == instance.id.generation.value) {
    return fail(instance, "its vhost-user port went away while it booted", now_ns);
  }
  const uint64_t deadline_ns = config_of(instance).boot_deadline_ns;
  const bool attached = load.attached_generation.observe() == instance.id.generation.value;
  if (!attached && now_ns - instance.ordered_ns >= deadline_ns) {
    return fail(instance, "its network device was not up within boot_deadline", now_ns);
  }
  // With its rings up and nobody asking, it may stay unproven for as long as it likes.
  const uint64_t asked_ns = load.unanswered_since_ns.get();
  if (attached && asked_ns != 0 && now_ns > std::max(asked_ns, instance.ordered_ns) &&
      now_ns - std::max(asked_ns, instance.ordered_ns) >= deadline_ns) {
    fail(instance, "it did not answer a SYN within boot_deadline", now_ns);
  }
}

void ControlLoop::became_active(Instance& instance, uint64_t now_ns) {
  instance.state = InstanceState::kActive;
  instance.was_active = true;
  instance.ready_ns = now_ns;
  instance.busy_ns = now_ns;
  services_[instance.service.value].backoff.succeeded();
  record_cold_start(instance);
  spdlog::info("{}: ready {:.2f} ms after its boot order", name_of(instance),
               ms(now_ns - instance.ordered_ns));
}

void ControlLoop::observe_draining(Instance& instance, uint64_t now_ns) {
  const SlotLoad& load = load_of(instance);
  if (load.dead_generation.observe() == instance.id.generation.value) {
    return fail(instance, "its vhost-user port went away while it drained", now_ns);
  }
  // Before every worker has seen the table, one may still give it a flow.
  const bool empty = load.in_flight.get() == 0 && links_.steering->passed_by_all(instance.table_version);
  if (!empty) {
    instance.empty_since_ns = 0;
  } else if (instance.empty_since_ns == 0) {
    instance.empty_since_ns = now_ns;
  } else if (now_ns - instance.empty_since_ns >= kDrainGraceNs) {
    return leave(instance);
  }
  if (now_ns - instance.drain_began_ns >= config_of(instance).drain_deadline_ns) {
    spdlog::warn("{}: drain deadline passed, {} flows are reset", name_of(instance), load.in_flight.get());
    leave(instance);
  }
}

bool ControlLoop::is_quiet(const Instance& instance, uint64_t now_ns) const {
  return load_of(instance).in_flight.get() == 0 &&
         now_ns - std::max(instance.busy_ns, instance.ordered_ns) >= config_of(instance).idle_after_ns;
}

ServiceView ControlLoop::view_of(ServiceIndex index, uint64_t now_ns) const {
  const ServiceConfig& config = config_.services[index.value];
  ServiceView view{
      .min = config.instances_min, .max = config.instances_max, .in_flight_soft = config.in_flight_soft};
  for (const Instance& instance : instances_of(index)) {
    if (!instance.counts()) continue;
    ++view.size;
    if (instance.state == InstanceState::kBooting) ++view.booting;
    if (is_quiet(instance, now_ns)) ++view.quiet;
    view.in_flight += static_cast<uint32_t>(load_of(instance).in_flight.get());
  }
  view.waiting_syns = static_cast<uint32_t>(links_.board->service(index).waiting_syns.get());
  return view;
}

void ControlLoop::run_service(ServiceIndex index, uint64_t now_ns) {
  Service& service = services_[index.value];
  if (shutting_down_) {
    for (Instance& instance : instances_of(index)) {
      if (instance.counts() || instance.state == InstanceState::kDraining) leave(instance);
    }
    return;
  }
  if (const bool refusing = service.backoff.refusing(now_ns); refusing != service.refusing) {
    service.refusing = refusing;
    table_changed_ = true;
  }
  const ServiceView view = view_of(index, now_ns);
  const Decision decision = decide(view);
  service.status.wanted = decision.wanted;
  if (decision.wanted > view.size) grow(index, decision.wanted - view.size, now_ns);
  if (decision.wanted < view.size) shrink(index, view.size - decision.wanted, now_ns);
}

void ControlLoop::grow(ServiceIndex index, uint32_t by, uint64_t now_ns) {
  Service& service = services_[index.value];
  // One that is still draining is back in no time.
  for (Instance& instance : instances_of(index)) {
    if (by == 0) return;
    if (instance.state != InstanceState::kDraining) continue;
    instance.state = instance.was_active ? InstanceState::kActive : InstanceState::kBooting;
    instance.busy_ns = now_ns;
    change_table(instance);
    --by;
    spdlog::info("{}: called back from draining", name_of(instance));
  }
  if (!service.backoff.may_try(now_ns)) return;
  for (Instance& instance : instances_of(index)) {
    if (by == 0) return;
    if (instance.state != InstanceState::kAbsent) continue;
    boot(index, instance, now_ns);
    --by;
  }
}

void ControlLoop::boot(ServiceIndex index, Instance& instance, uint64_t now_ns) {
  const ServiceConfig& service = config_.services[index.value];
  const ImageConfig& image = config_.images[service.image];
  const InstanceId id{instance.id.slot, Generation{instance.id.generation.value + 1}};
  instance = Instance{.id = id,
                      .service = index,
                      .state = InstanceState::kBooting,
                      .process_gone = false,
                      .ordered_ns = now_ns,
                      .busy_ns = now_ns,
                      .flows_opened = links_.board->slot(id.slot).flows_opened.get()};
  change_table(instance);
  ++services_[index.value].status.boots;
  orders_.push_back({.id = id,
                     .name = name_of(instance),
                     .kernel = image.kernel,
                     .memory_bytes = image.memory_bytes,
                     .command_line = expand_command_line(image, service),
                     .mac = kGuestMac,
                     .vhost_socket = links_.vhost_socket(id.slot),
                     .accelerator = image.accelerator});
  spdlog::info("{}: boot ordered ({} SYNs wait)", name_of(instance),
               links_.board->service(index).waiting_syns.get());
}

void ControlLoop::shrink(ServiceIndex index, uint32_t by, uint64_t now_ns) {
  for (; by > 0; --by) {
    Instance* victim = nullptr;
    for (Instance& instance : instances_of(index)) {
      if (!instance.counts() || !is_quiet(instance, now_ns)) continue;
      // The emptiest are all empty; the last slot goes first, as new flows prefer the first.
      victim = &instance;
    }
    if (victim == nullptr) return;
    drain(*victim, now_ns);
  }
}

void ControlLoop::drain(Instance& instance, uint64_t now_ns) {
  instance.state = InstanceState::kDraining;
  instance.drain_began_ns = now_ns;
  instance.empty_since_ns = 0;
  change_table(instance);
  spdlog::info("{}: draining after {:.0f} ms without a flow", name_of(instance),
               ms(now_ns - instance.busy_ns));
}

void ControlLoop::fail(Instance& instance, const std::string& why, uint64_t now_ns) {
  Service& service = services_[instance.service.value];
  const bool young = instance.ready_ns == 0 || now_ns - instance.ready_ns < kYoungNs;
  if (young) service.backoff.failed(now_ns);
  if (instance.ready_ns == 0) ++service.status.boots_failed;
  instance.failed = true;
  spdlog::warn("{}: failed: {}{}", name_of(instance), why,
               service.backoff.failures() >= BootBackoff::kFailuresBeforeRefusing
                   ? "; boots fail again and again, new connections are refused for a while"
                   : "");
  leave(instance);
}

void ControlLoop::leave(Instance& instance) {
  instance.state = InstanceState::kLeaving;
  change_table(instance);
}

// The instance's new role is in the next table that is published, at the end of this round.
void ControlLoop::change_table(Instance& instance) {
  instance.table_version = next_table_version_;
  table_changed_ = true;
}

void ControlLoop::publish() {
  table_changed_ = false;
  std::vector<bool> refusing;
  refusing.reserve(services_.size());
  for (const Service& service : services_) refusing.push_back(service.refusing);
  const uint64_t version = links_.steering->publish(build_steering_table(config_, instances_, refusing));
  CHECK(version == next_table_version_);
  ++next_table_version_;
}

void ControlLoop::progress_departures() {
  links_.steering->reclaim();
  for (Instance& instance : instances_) {
    if (instance.state == InstanceState::kLeaving && links_.steering->passed_by_all(instance.table_version)) {
      instance.state = InstanceState::kStopping;
      if (!instance.process_gone) driver_of(instance).stop(instance.id);
    }
    if (instance.state == InstanceState::kStopping && instance.process_gone &&
        !links_.connected(instance.id.slot)) {
      spdlog::info("{}: gone", name_of(instance));
      instance.state = InstanceState::kAbsent;
      instance.pid = 0;
    }
  }
}

bool ControlLoop::all_gone() const {
  return std::all_of(instances_.begin(), instances_.end(),
                     [](const Instance& instance) { return instance.state == InstanceState::kAbsent; });
}

std::string ControlLoop::name_of(const Instance& instance) const {
  const uint32_t number = instance.id.slot.value - services_[instance.service.value].first_slot;
  return config_of(instance).name + "/" + std::to_string(number) + "/" +
         std::to_string(instance.id.generation.value);
}

std::span<Instance> ControlLoop::instances_of(ServiceIndex index) {
  return std::span(instances_)
      .subspan(services_[index.value].first_slot, config_.services[index.value].instances_max);
}
std::span<const Instance> ControlLoop::instances_of(ServiceIndex index) const {
  return std::span(instances_)
      .subspan(services_[index.value].first_slot, config_.services[index.value].instances_max);
}

Driver& ControlLoop::driver_of(const Instance& instance) const {
  return *links_.drivers[config_of(instance).image];
}

}  // namespace cheshire
