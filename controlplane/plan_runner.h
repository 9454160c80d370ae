// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Runs a plan: the real instances change as the planner played it on its copies, the next steering table hears
// of it, and what a driver is to do becomes an order, which waits until that table is published. Counts and logs
// what it does. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "controlplane/fleet/departures.h"
#include "controlplane/fleet/driver_orders.h"
#include "controlplane/fleet/instance_pool.h"
#include "controlplane/fleet/planner.h"
#include "controlplane/fleet/running_config.h"
#include "controlplane/fleet/steering_publisher.h"
#include "controlplane/service_record.h"
#include "controlplane/telemetry/cold_start_book.h"
#include "load_board.h"

namespace cheshire {

// All outlive the runner.
struct PlanRunnerLinks {
  const RunningConfig& config;
  const LoadBoard& board;
  std::vector<ServiceRecord>& records;
  InstancePool& pool;
  SteeringPublisher& steering;
  DriverOrders& orders;
  Departures& departures;
  ColdStartBook& cold_starts;
  std::function<std::string(SlotIndex)> vhost_socket;
};

class PlanRunner {
 public:
  explicit PlanRunner(PlanRunnerLinks links) : to_(std::move(links)) {}

  void run(ServiceIndex service, const Plan& plan, uint64_t now_ns);
  // One that did not come from a snapshot: the driver said that the process is gone.
  void fail(Instance& instance, const std::string& why, uint64_t now_ns);

 private:
  void run(ServiceIndex service, const Action& action, uint64_t now_ns);
  void begin(Instance& instance, const Action& action, uint64_t now_ns);
  void change(Instance& instance, const Action& action, uint64_t now_ns);
  void log_change(const Instance& instance, LifeCause cause, uint64_t now_ns) const;
  [[nodiscard]] bool syns_wait(ServiceIndex service) const {
    return to_.board.service(service).waiting_syns.get() != 0;
  }
  [[nodiscard]] std::string name_of(const Instance& instance) const;

  const PlanRunnerLinks to_;
};

}  // namespace cheshire
