// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/command_executor.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "check.h"
#include "controlplane/commands/reload.h"
#include "controlplane/commands/scale_command.h"
#include "controlplane/config/config_values.h"
#include "controlplane/fleet/planner.h"
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

CommandAnswer CommandExecutor::execute(const ControlCommand& command, bool ending, uint64_t now_ns) {
  CommandAnswer answer;
  Result<std::string> done =
      ending ? Error{ErrorCode::kUnavailable, "the daemon is ending"} : obey(command, now_ns);
  if (done.ok()) {
    answer.done = std::move(done).value();
    if (command.kind != CommandKind::kScaleGet) log::info("command: {}", answer.done);
  } else {
    answer.error = done.error();
    log::warn("command refused: {}", answer.error->what);
  }
  answer.config = to_.config.now;
  return answer;
}

Result<std::string> CommandExecutor::obey(const ControlCommand& command, uint64_t now_ns) {
  switch (command.kind) {
    case CommandKind::kDrain:
      return drain(command.instance, now_ns);
    case CommandKind::kReload:
      return reload(*command.file);
    case CommandKind::kScaleGet:
      return show_scale(command);
    default:
      return scale(command);
  }
}

Result<std::string> CommandExecutor::show_scale(const ControlCommand& command) const {
  const Result<ServiceIndex> index = service_of(*to_.config.now, command);
  if (!index.ok()) return index.error();
  const ServiceConfig& service = to_.config.of(index.value());
  if (!command.policy_name.empty() &&
      std::none_of(service.policies.begin(), service.policies.end(),
                   [&](const PolicyConfig& policy) { return policy.name == command.policy_name; })) {
    return Error{ErrorCode::kNotFound, service.name + " has no policy " + in_quotes(command.policy_name)};
  }
  return describe_scale(service);
}

Result<std::string> CommandExecutor::scale(const ControlCommand& command) {
  Result<Config> next = scaled({.running = *to_.config.now,
                                .file = *to_.config.file,
                                .slots = static_cast<uint32_t>(to_.pool.all().size())},
                               command);
  if (!next.ok()) return next.error();
  const ServiceIndex index = find_service(next.value(), command.service);
  adopt(std::move(next).value());
  return describe_scale(to_.config.of(index));
}

Result<std::string> CommandExecutor::drain(const std::string& name, uint64_t now_ns) {
  for (const Instance& instance : std::as_const(to_.pool).all()) {
    if (instance.state == InstanceState::kAbsent || instance_name(*to_.config.now, instance) != name)
      continue;
    if (instance.state == InstanceState::kLeaving || instance.state == InstanceState::kStopping) {
      return Error{ErrorCode::kUnavailable, name + " is " + to_string(instance.state) + " already"};
    }
    const ServiceIndex service = instance.service;
    ServiceSnapshot& snapshot = to_.observer.look(service, now_ns);
    uint64_t flows = 0;
    for (const ServiceSnapshot::Row& row : snapshot.rows) {
      if (row.instance.id == instance.id) flows = row.sight.in_flight;
    }
    plan_.clear();
    plan_retirement(snapshot, instance.id.slot, now_ns, plan_);
    to_.runner.run(service, plan_, now_ns);
    return name + ": draining, " + std::to_string(flows) + " connections are open; gone in " +
           format_duration(to_.config.of(service).drain_deadline_ns) + " at the latest";
  }
  return Error{ErrorCode::kNotFound, "there is no instance " + in_quotes(name) +
                                         "; `cheshire status` lists them, such as hello/3/17"};
}

Result<std::string> CommandExecutor::reload(const Config& file) {
  const Config& running = *to_.config.now;
  ReloadFacts facts{.running = running,
                    .slots = static_cast<uint32_t>(to_.pool.all().size()),
                    .services_made = static_cast<uint32_t>(to_.services_made),
                    .drivers = {}};
  for (const auto& [kind, driver] : to_.drivers) facts.drivers.insert(kind);
  for (uint16_t index = 0; index < to_.records.size(); ++index) {
    if (!to_.steering.passed_by_all(to_.records[index].forgotten_in)) facts.not_free_yet.insert(index);
  }
  Result<Config> next = reloaded(facts, file);
  if (!next.ok()) return next.error();
  std::string done = "reloaded; " + describe_change(running, next.value());
  if (next.value().log_level != running.log_level) log::set_level(next.value().log_level);
  to_.config.file = std::make_shared<const Config>(file);
  adopt(std::move(next).value());
  return done;
}

// Another config takes the place of the one that runs. What follows from it comes with the next rounds.
void CommandExecutor::adopt(Config next) {
  const std::shared_ptr<const Config> before =
      std::exchange(to_.config.now, std::make_shared<const Config>(std::move(next)));
  const Config& after = *to_.config.now;
  CHECK(after.services.size() <= to_.services_made);
  to_.records.resize(after.services.size());
  to_.resized();
  for (uint16_t index = 0; index < before->services.size(); ++index) {
    const bool lives = !before->services[index].removed && !after.services[index].removed;
    if (lives && boots_otherwise(*before, after, ServiceIndex{index})) ++to_.records[index].revision;
  }
  to_.pool.take_config(after);
  to_.steering.change_services();
}

}  // namespace cheshire
