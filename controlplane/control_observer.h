// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Observe: what the load board, the workers' progress and the drivers say about one service and its instances,
// as one snapshot. Observation orders nothing and changes no state; it notes at the instances what it saw, where
// a later look has to compare. Control thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "controlplane/fleet/driver_orders.h"
#include "controlplane/fleet/instance_pool.h"
#include "controlplane/fleet/running_config.h"
#include "controlplane/fleet/service_snapshot.h"
#include "controlplane/fleet/steering_publisher.h"
#include "controlplane/policy/policy.h"
#include "controlplane/policy/service_meter.h"
#include "controlplane/service_record.h"
#include "load_board.h"
#include "load_record.h"

namespace cheshire {

// All outlive the observer.
struct ObserverSources {
  const RunningConfig& config;
  const LoadBoard& board;
  const std::vector<ServiceRecord>& records;
  InstancePool& pool;
  const SteeringPublisher& steering;
  const DriverMap& drivers;
};

class ControlObserver {
 public:
  explicit ControlObserver(const ObserverSources& from) : from_(from), meters_(from.records.size()) {}

  // The peaks of its interval are part of the next measure().
  void take(const LoadRecord& record) { meters_[record.service.value].take(record); }
  // Good until the next look.
  [[nodiscard]] ServiceSnapshot& look(ServiceIndex index, uint64_t now_ns);
  // The inputs of a decision, from the snapshot as it is by now: its meter goes on to this time.
  [[nodiscard]] ServiceView measure(ServiceIndex index, const ServiceSnapshot& snapshot, uint64_t now_ns);

  void resize(size_t services) { meters_.resize(services); }
  void forget(ServiceIndex index) { meters_[index.value] = ServiceMeter{}; }

 private:
  [[nodiscard]] InstanceSight sight_of(const Instance& instance, const ServiceConfig& rules) const;
  void note(Instance& instance, const InstanceSight& sight, uint64_t now_ns) const;
  void take_usage(ServiceIndex index, uint64_t now_ns);

  const ObserverSources from_;
  std::vector<ServiceMeter> meters_;  // by service
  ServiceSnapshot snapshot_;
};

}  // namespace cheshire
