// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Carries out what an operator asks for: between two rounds, at once, whole or not at all. What follows from it
// (slots that change hands, instances that drain) is found by later rounds from the difference between what is
// and what should be. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "controlplane/commands/control_command.h"
#include "controlplane/control_observer.h"
#include "controlplane/fleet/driver_orders.h"
#include "controlplane/fleet/instance_pool.h"
#include "controlplane/fleet/running_config.h"
#include "controlplane/fleet/steering_publisher.h"
#include "controlplane/plan_runner.h"
#include "controlplane/service_record.h"

namespace cheshire {

// All outlive the executor.
struct CommandLinks {
  RunningConfig& config;
  std::vector<ServiceRecord>& records;
  InstancePool& pool;
  SteeringPublisher& steering;
  ControlObserver& observer;
  PlanRunner& runner;
  const DriverMap& drivers;
  size_t services_made = 0;  // at start
  // Another config runs: there may be more services.
  std::function<void()> resized;
};

class CommandExecutor {
 public:
  explicit CommandExecutor(CommandLinks links) : to_(std::move(links)) {}

  // `ending`: the daemon is, so that every command is refused.
  [[nodiscard]] CommandAnswer execute(const ControlCommand& command, bool ending, uint64_t now_ns);

 private:
  [[nodiscard]] Result<std::string> obey(const ControlCommand& command, uint64_t now_ns);
  [[nodiscard]] Result<std::string> show_scale(const ControlCommand& command) const;
  [[nodiscard]] Result<std::string> scale(const ControlCommand& command);
  [[nodiscard]] Result<std::string> drain(const std::string& name, uint64_t now_ns);
  [[nodiscard]] Result<std::string> reload(const Config& file);
  void adopt(Config next);

  const CommandLinks to_;
  Plan plan_;
};

}  // namespace cheshire
