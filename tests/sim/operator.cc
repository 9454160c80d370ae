// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/operator.h"

#include <algorithm>
#include <memory>

namespace cheshire::sim {

void PlayedOperator::act(ControlLoop& control) {
  Random& random = scene_.random;
  ControlCommand command;
  Event event = Event::k_commands_scale;
  switch (random.below(3)) {
    case 0:
      command = scale(random.one_of(control.config().services));
      break;
    case 1:
      command = drain(control);
      event = Event::k_commands_drain;
      break;
    default:
      command = reload();
      event = Event::k_commands_reload;
  }
  const CommandAnswer answer = control.execute(command, scene_.now_ns());
  const bool obeyed = !answer.error.has_value();
  scene_.journal.note(What::kCommand, static_cast<uint64_t>(command.kind), obeyed ? 1 : 0);
  scene_.covered.count(obeyed ? event : Event::k_commands_refused);
  ++scene_
        .excuses;  // who called a service that is taken away, or an instance that is drained in time, is reset
}

ControlCommand PlayedOperator::scale(const ServiceConfig& service) {
  Random& random = scene_.random;
  ControlCommand command{.kind = CommandKind::kScaleInit, .service = service.name};
  switch (random.below(4)) {
    case 0:
      command.kind = CommandKind::kScaleReset;
      break;
    case 1:
      command.kind = CommandKind::kScaleAdd;
      command.policy = {.name = "added-" + std::to_string(random.below(3)),
                        .kind = PolicyKind::kTarget,
                        .metric = Metric::kInFlight,
                        .target = static_cast<int64_t>(random.between(1, 16))};
      break;
    case 2:
      command.kind = CommandKind::kScaleRemove;
      command.policy_name = random.percent(50) ? "target" : "added-" + std::to_string(random.below(3));
      break;
    default:
      command.max_size = static_cast<uint32_t>(random.below(8));
      if (random.percent(50)) command.min_size = static_cast<uint32_t>(random.below(3));
  }
  return command;
}

ControlCommand PlayedOperator::drain(const ControlLoop& control) {
  ControlCommand command{.kind = CommandKind::kDrain, .instance = "nobody/0/0"};
  const auto& instances = control.instances();
  for (int tries = 0; tries < 8; ++tries) {
    const Instance& instance = scene_.random.one_of(instances);
    if (instance.state == InstanceState::kAbsent) continue;
    command.instance = control.name_of(instance);
    break;
  }
  return command;
}

ControlCommand PlayedOperator::reload() {
  Random& random = scene_.random;
  std::vector<ServiceConfig>& services = file_.services;
  switch (random.below(5)) {
    case 0:
      if (services.size() > 1)
        services.erase(services.begin() + static_cast<std::ptrdiff_t>(random.below(services.size())));
      break;
    case 1:
      if (services.size() < 7) services.push_back(make_service(random, next_number_++, scene_.plan));
      break;
    case 2:
      file_.images[random.below(2)].kernel += "'";
      break;
    default: {
      // Other bounds and rules, the same addresses.
      ServiceConfig& service = random.one_of(services);
      ServiceConfig other = make_service(random, 0, scene_.plan);
      other.name = service.name;
      other.vip = service.vip;
      other.port = service.port;
      other.guest_ip = service.guest_ip;
      other.guest_port = service.guest_port;
      service = other;
    }
  }
  return {.kind = CommandKind::kReload, .file = std::make_shared<const Config>(file_)};
}

}  // namespace cheshire::sim
