// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Shows telemetry a copy of the control thread's state, every few milliseconds. It only reads. Control thread
// only.
#pragma once

#include <cstdint>
#include <vector>

#include "controlplane/fleet/driver_orders.h"
#include "controlplane/fleet/instance_pool.h"
#include "controlplane/fleet/running_config.h"
#include "controlplane/service_record.h"
#include "controlplane/telemetry/cold_start_book.h"
#include "controlplane/telemetry/status.h"

namespace cheshire {

// All outlive the publisher.
struct StatusSources {
  const RunningConfig& config;
  const std::vector<ServiceRecord>& records;
  const InstancePool& pool;
  const ColdStartBook& cold_starts;
  const DriverMap& drivers;
};

class StatusPublisher {
 public:
  StatusPublisher(const StatusSources& from, StatusBoard& board) : from_(from), board_(board) {}
  // If that was not done lately.
  void show(uint64_t now_ns);

 private:
  const StatusSources from_;
  StatusBoard& board_;
  uint64_t shown_ns_ = 0;
};

}  // namespace cheshire
