// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What an operator asks for, and what follows from it over the next rounds: another config, slots that change
// hands, instances that are drained for good, services that go.
//
// An instance that is `retiring` is draining and does not come back: it is not called back when its service
// grows, and is not kept on standby. Reasons: the operator said so, its service is gone, its image changed.

#include <algorithm>

#include "controlplane/commands/reload.h"
#include "controlplane/commands/scale_command.h"
#include "controlplane/config/config_values.h"
#include "controlplane/control_loop.h"
#include "log.h"

namespace cheshire {
namespace {

std::string describe_scale(const ServiceConfig& service) {
  return service.name + ": min " + std::to_string(service.instances_min) + ", max " +
         std::to_string(service.instances_max) + ", warmup " + format_duration(service.warmup_ns) +
         ", cooldown " + format_duration(service.cooldown_ns) + ", policies " +
         std::to_string(service.policies.size());
}

}  // namespace

CommandAnswer ControlLoop::execute(const ControlCommand& command, uint64_t now_ns) {
  CommandAnswer answer;
  Result<std::string> done =
      shutting_down_ ? Error{ErrorCode::kUnavailable, "the daemon is ending"} : obey(command, now_ns);
  if (done.ok()) {
    answer.done = std::move(done).value();
    if (command.kind != CommandKind::kScaleGet) log::info("command: {}", answer.done);
  } else {
    answer.error = done.error();
    log::warn("command refused: {}", answer.error->what);
  }
  answer.config = config_;
  return answer;
}

Result<std::string> ControlLoop::obey(const ControlCommand& command, uint64_t now_ns) {
  switch (command.kind) {
    case CommandKind::kDrain:
      return drain_by_name(command.instance, now_ns);
    case CommandKind::kReload:
      return reload(*command.file);
    case CommandKind::kScaleGet: {
      const Result<ServiceIndex> index = service_of(*config_, command);
      if (!index.ok()) return index.error();
      const ServiceConfig& service = config_->services[index.value().value];
      if (!command.policy_name.empty() &&
          std::none_of(service.policies.begin(), service.policies.end(),
                       [&](const PolicyConfig& policy) { return policy.name == command.policy_name; })) {
        return Error{ErrorCode::kNotFound, service.name + " has no policy " + in_quotes(command.policy_name)};
      }
      return describe_scale(service);
    }
    default: {
      Result<Config> next = scaled(
          {.running = *config_, .file = *file_config_, .slots = static_cast<uint32_t>(instances_.size())},
          command);
      if (!next.ok()) return next.error();
      const ServiceIndex index = find_service(next.value(), command.service);
      adopt(std::move(next).value());
      return describe_scale(config_->services[index.value]);
    }
  }
}

Result<std::string> ControlLoop::drain_by_name(const std::string& name, uint64_t now_ns) {
  for (Instance& instance : instances_) {
    if (instance.state == InstanceState::kAbsent || name_of(instance) != name) continue;
    if (instance.state == InstanceState::kLeaving || instance.state == InstanceState::kStopping) {
      return Error{ErrorCode::kUnavailable, name + " is " + to_string(instance.state) + " already"};
    }
    const uint64_t flows = load_of(instance).in_flight.get();
    retire(instance, now_ns);
    return name + ": draining, " + std::to_string(flows) + " connections are open; gone in " +
           format_duration(config_of(instance).drain_deadline_ns) + " at the latest";
  }
  return Error{ErrorCode::kNotFound, "there is no instance " + in_quotes(name) +
                                         "; `cheshire status` lists them, such as hello/3/17"};
}

Result<std::string> ControlLoop::reload(const Config& file) {
  ReloadFacts facts{.running = *config_,
                    .slots = static_cast<uint32_t>(instances_.size()),
                    .services_made = static_cast<uint32_t>(links_.board->service_count()),
                    .drivers = {}};
  for (const auto& [kind, driver] : links_.drivers) facts.drivers.insert(kind);
  for (uint16_t index = 0; index < services_.size(); ++index) {
    if (!links_.steering->passed_by_all(services_[index].forgotten_in)) facts.not_free_yet.insert(index);
  }
  Result<Config> next = reloaded(facts, file);
  if (!next.ok()) return next.error();
  std::string done = "reloaded; " + describe_change(*config_, next.value());
  if (next.value().log_level != config_->log_level) {
    log::set_level(next.value().log_level);
  }
  file_config_ = std::make_shared<const Config>(file);
  adopt(std::move(next).value());
  return done;
}

// Another config takes the place of the one that runs. What follows from it comes with the next rounds.
void ControlLoop::adopt(Config next) {
  const std::shared_ptr<const Config> before =
      std::exchange(config_, std::make_shared<const Config>(std::move(next)));
  CHECK(config_->services.size() <= links_.board->service_count());
  services_.resize(config_->services.size());
  for (uint16_t index = 0; index < before->services.size(); ++index) {
    const bool lives = !before->services[index].removed && !config_->services[index].removed;
    if (lives && boots_otherwise(*before, *config_, ServiceIndex{index})) ++services_[index].revision;
  }
  table_changed_ = true;
  slots_settled_ = false;
}

// --- slots

// Gives back what services no longer need, then hands out what they lack. What cannot be done yet is done by
// a later round.
void ControlLoop::share_slots() {
  if (slots_settled_) return;
  slots_settled_ = true;
  for (uint16_t index = 0; index < services_.size(); ++index) give_back_slots(ServiceIndex{index});
  for (uint16_t index = 0; index < services_.size(); ++index) {
    const size_t wanted = config_->services[index].instances_max;
    take_slots(ServiceIndex{index}, wanted);
    if (services_[index].instances.size() != wanted) slots_settled_ = false;
  }
}

void ControlLoop::give_back_slots(ServiceIndex index) {
  Service& service = services_[index.value];
  const size_t wanted = config_->services[index.value].instances_max;
  for (size_t i = service.instances.size(); i-- > 0 && service.instances.size() > wanted;) {
    Instance& instance = *service.instances[i];
    if (instance.state != InstanceState::kAbsent || !is_settled(instance)) continue;
    service.status.flows_elsewhere += load_of(instance).flows_opened.get();
    service.instances.erase(service.instances.begin() + static_cast<ptrdiff_t>(i));
    instance.service = kNobodys;
    instance.sweeps_due = 0;  // counted by the worker that had it
    pool_.insert(std::upper_bound(pool_.begin(), pool_.end(), &instance), &instance);
  }
}

// Whether its worker has written to the slot's row for the last time: the next service's owner may be another one.
// It took the table without the instance before, which progress_departures() waited for; what it still does then is
// to take the instance's flows from its flow table. They count for this service, too.
bool ControlLoop::is_settled(const Instance& instance) const {
  const WorkerLoad& owner = links_.board->worker(config_->worker_of(instance.service));
  const SlotLoad& load = load_of(instance);
  return owner.sweeps_done.observe() >= instance.sweeps_due &&
         load.flows_opened.get() == load.flows_closed.get();
}

// The first ones from the pool, until the service has so many or the pool is empty.
void ControlLoop::take_slots(ServiceIndex index, size_t wanted) {
  Service& service = services_[index.value];
  std::vector<Instance*>& owned = service.instances;
  for (uint16_t number = 0; owned.size() < wanted && !pool_.empty(); ++number) {
    const auto place = std::find_if(owned.begin(), owned.end(),
                                    [&](const Instance* instance) { return instance->number >= number; });
    if (place != owned.end() && (*place)->number == number) continue;
    Instance* const instance = pool_.front();
    pool_.erase(pool_.begin());
    instance->service = index;
    instance->number = number;
    // No two instances ever have one name, whichever slots their service had.
    for (const Instance& other : instances_) {
      instance->id.generation = std::max(instance->id.generation, other.id.generation);
    }
    service.status.flows_elsewhere -= load_of(*instance).flows_opened.get();
    owned.insert(place, instance);
  }
}

// --- instances that go for good

void ControlLoop::retire(Instance& instance, uint64_t now_ns) {
  switch (instance.state) {
    case InstanceState::kAbsent:
    case InstanceState::kLeaving:
    case InstanceState::kStopping:
      return;
    case InstanceState::kPreparing:
    case InstanceState::kShell:
    case InstanceState::kWarming:
      return leave(instance, LifeCause::kDismissed, now_ns);
    case InstanceState::kPausing:  // drained once it is paused
      instance.retiring = true;
      return;
    case InstanceState::kStandby:
      if (load_of(instance).in_flight.get() == 0) return leave(instance, LifeCause::kDismissed, now_ns);
      resume(instance, now_ns);  // its flows may go on until the drain deadline
      break;
    case InstanceState::kDraining:
      instance.retiring = true;
      return;
    case InstanceState::kBooting:
    case InstanceState::kActive:
      break;
  }
  instance.retiring = true;
  drain(instance, now_ns);
}

// A service that the config no longer has: its instances are drained, then it is forgotten.
void ControlLoop::wind_down(ServiceIndex index, uint64_t now_ns) {
  const ServiceConfig& config = config_->services[index.value];
  if (config.name.empty()) return;
  for (Instance& instance : instances_of(index)) {
    if (!instance.retiring || instance.state == InstanceState::kStandby) retire(instance, now_ns);
  }
  slots_settled_ = false;
  const bool waits = links_.board->service(index).held_syns.get() != 0;
  if (!services_[index.value].instances.empty() || waits) return;
  log::info("{}: removed", config.name);
  Config next = *config_;
  next.services[index.value] = ServiceConfig{.removed = true, .instances_max = 0};
  services_[index.value] = Service{};
  services_[index.value].forgotten_in = next_table_version_;
  config_ = std::make_shared<const Config>(std::move(next));
  table_changed_ = true;
}

// Instances of an image that changed are replaced one after the other: a successor boots, and when it is
// ready, the emptiest of the old ones is drained. Where no slot is left for a successor, the old one goes
// first.
void ControlLoop::replace_outdated(ServiceIndex index, uint64_t now_ns) {
  Service& service = services_[index.value];
  const auto outdated = [&](const Instance& instance) { return instance.revision != service.revision; };
  bool succession = false;   // a successor boots
  bool making_room = false;  // an old one goes, and leaves its slot
  for (Instance& instance : instances_of(index)) {
    if (!outdated(instance)) {
      if (!instance.replaces) continue;
      if (instance.state == InstanceState::kBooting) {
        succession = true;
        continue;
      }
      instance.replaces = false;
      if (instance.state != InstanceState::kActive) continue;  // it failed
      if (Instance* old = victim_of(index, outdated)) retire(*old, now_ns);
    } else if (!instance.counts() && instance.state != InstanceState::kAbsent) {
      making_room |= instance.state != InstanceState::kStandby;
      if (!instance.retiring || instance.state == InstanceState::kStandby) retire(instance, now_ns);
    }
  }
  // Counted only now: the last of them may just have been retired.
  const bool any = count(index, [&](const Instance& one) { return outdated(one) && one.counts(); }) != 0;
  if (!any || succession || !service.backoff.may_try(now_ns)) return;
  if (Instance* slot = free_slot(index)) {
    begin(*slot, LifeCause::kBootOrdered, now_ns);
    slot->replaces = true;
    log::info("{}: boot ordered, to replace one of the old image", name_of(*slot));
  } else if (Instance* old = making_room ? nullptr : victim_of(index, outdated)) {
    retire(*old, now_ns);
  }
}

// Of the service's own, or one more from the pool: it goes back when there are too many.
Instance* ControlLoop::free_slot(ServiceIndex index) {
  const auto absent = [&]() -> Instance* {
    for (Instance& instance : instances_of(index)) {
      if (instance.state == InstanceState::kAbsent) return &instance;
    }
    return nullptr;
  };
  if (Instance* own = absent()) return own;
  if (pool_.empty()) return nullptr;
  take_slots(index, services_[index.value].instances.size() + 1);
  slots_settled_ = false;
  return absent();
}

// With nobody left but instances that retire, and no slot for another one, the last of them go on taking new
// flows: rather that than nowhere. Not when they are empty: then the slot is soon free.
void ControlLoop::choose_last_resort(ServiceIndex index) {
  bool needed = !config_->services[index.value].removed;
  for (const Instance& instance : instances_of(index)) {
    if (!(instance.state == InstanceState::kDraining && instance.retiring)) needed = false;
  }
  for (Instance& instance : instances_of(index)) {
    const bool serves = needed && instance.was_ready() && load_of(instance).in_flight.get() != 0;
    if (instance.last_resort == serves) continue;
    instance.last_resort = serves;
    if (instance.state == InstanceState::kDraining) change_table(instance);
  }
}

}  // namespace cheshire
