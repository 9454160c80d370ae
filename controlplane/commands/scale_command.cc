// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/commands/scale_command.h"

#include <algorithm>

#include "check.h"
#include "controlplane/config/config_values.h"
#include "controlplane/config/policy_words.h"

namespace cheshire {
namespace {

Error invalid(std::string what) {
  return Error{ErrorCode::kInvalidArgument, std::move(what)};
}

auto find_policy(std::vector<PolicyConfig>& policies, const std::string& name) {
  return std::find_if(policies.begin(), policies.end(),
                      [&](const PolicyConfig& policy) { return policy.name == name; });
}

void init(ServiceConfig& service, const ControlCommand& command) {
  service.instances_min = command.min_size.value_or(service.instances_min);
  service.instances_max = command.max_size.value_or(service.instances_max);
  service.warmup_ns = command.warmup_ns.value_or(service.warmup_ns);
  service.cooldown_ns = command.cooldown_ns.value_or(service.cooldown_ns);
}

Result<void> add(ServiceConfig& service, const ControlCommand& command) {
  if (find_policy(service.policies, command.policy.name) != service.policies.end()) {
    return invalid(service.name + " has a policy " + in_quotes(command.policy.name) +
                   " already; remove it first, or take another name");
  }
  service.policies.push_back(command.policy);
  return {};
}

Result<void> remove(ServiceConfig& service, const ControlCommand& command) {
  const auto found = find_policy(service.policies, command.policy_name);
  if (found != service.policies.end()) {
    service.policies.erase(found);
    return {};
  }
  std::vector<std::string_view> names;
  std::string list;
  for (const PolicyConfig& policy : service.policies) {
    names.push_back(policy.name);
    list += (list.empty() ? "" : ", ") + policy.name;
  }
  return invalid(service.name + " has no policy " + in_quotes(command.policy_name) +
                 did_you_mean(command.policy_name, names) + "; it has " + (list.empty() ? "none" : list));
}

Result<void> reset(ServiceConfig& service, const Config& file) {
  const ServiceIndex index = find_service(file, service.name);
  if (index == kNobodys) {
    return invalid(service.name + " is not in the config file as it was last read");
  }
  const ServiceConfig& read = file.services[index.value];
  service.instances_min = read.instances_min;
  service.instances_max = read.instances_max;
  service.warmup_ns = read.warmup_ns;
  service.cooldown_ns = read.cooldown_ns;
  service.policies = read.policies;
  return {};
}

Result<void> check_sizes(const ServiceConfig& service, const ScaleFacts& facts, const Config& next) {
  const std::string max = std::to_string(service.instances_max);
  if (service.instances_max == 0) return invalid("max-size is 0; write 1 at least");
  if (service.instances_min > service.instances_max) {
    return invalid("min-size " + std::to_string(service.instances_min) + " is above max-size " + max +
                   "; lower it or raise max-size");
  }
  for (const auto& [what, pool] :
       {std::pair("shells", service.shells), std::pair("standby", service.standby)}) {
    if (pool <= service.instances_max) continue;
    return invalid("max-size " + max + " is below the " + std::to_string(pool) + " of instances." + what +
                   ", each of which needs a slot; raise it");
  }
  if (next.instances_most() <= facts.slots) return {};
  const uint32_t others = next.instances_most() - service.instances_max;
  return invalid("max-size " + max + " is more than there are slots: " + std::to_string(facts.slots) +
                 " were made at start, and the other services have " + std::to_string(others) +
                 " of them; write at most " + std::to_string(facts.slots - std::min(others, facts.slots)) +
                 ", or raise spare.slots and restart");
}

}  // namespace

ServiceIndex find_service(const Config& config, const std::string& name) {
  for (uint16_t index = 0; index < config.services.size(); ++index) {
    const ServiceConfig& service = config.services[index];
    if (!service.removed && service.name == name) return ServiceIndex{index};
  }
  return kNobodys;
}

Result<ServiceIndex> service_of(const Config& config, const ControlCommand& command) {
  const ServiceIndex index = find_service(config, command.service);
  if (!(index == kNobodys)) return index;
  std::vector<std::string_view> names;
  for (const ServiceConfig& service : config.services) {
    if (!service.removed) names.push_back(service.name);
  }
  return Error{ErrorCode::kNotFound, "there is no service " + in_quotes(command.service) +
                                         did_you_mean(command.service, names) +
                                         "; `cheshire status` lists them"};
}

Result<Config> scaled(const ScaleFacts& facts, const ControlCommand& command) {
  const Result<ServiceIndex> index = service_of(facts.running, command);
  if (!index.ok()) return index.error();
  Config next = facts.running;
  ServiceConfig& service = next.services[index.value().value];
  Result<void> result;
  switch (command.kind) {
    case CommandKind::kScaleInit:
      init(service, command);
      break;
    case CommandKind::kScaleAdd:
      result = add(service, command);
      break;
    case CommandKind::kScaleRemove:
      result = remove(service, command);
      break;
    case CommandKind::kScaleReset:
      result = reset(service, facts.file);
      break;
    default:
      CHECK(false);
  }
  if (result.ok()) result = check_sizes(service, facts, next);
  if (result.ok()) {
    result = check_policies(service.policies,
                            {.warmup_ns = service.warmup_ns, .cooldown_ns = service.cooldown_ns});
  }
  if (!result.ok()) return result.error();
  return next;
}

}  // namespace cheshire
