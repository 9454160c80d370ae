// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the control thread remembers of a service from round to round, beside its slots (instance_pool.h) and
// its metrics (service_meter.h). Control thread only; behind each field: which part of it writes.
#pragma once

#include <cstdint>

#include "controlplane/fleet/boot_backoff.h"
#include "controlplane/telemetry/status.h"

namespace cheshire {

struct ServiceRecord {
  uint32_t revision = 1;      // command_executor: counts the changes of its image
  BootBackoff backoff;        // plan_runner
  bool refusing = false;      // control_loop: boots fail again and again
  uint64_t forgotten_in = 0;  // control_loop: the first table that no longer knows it
  uint64_t last_demand_ns =
      0;                   // control_loop: when somebody was last waiting or booting, where there are pools
  uint64_t grew_ns = 0;    // control_loop: when a decision last made it larger
  uint64_t shrank_ns = 0;  // control_loop
  ServiceStatus status;    // counts: plan_runner; what was decided and measured: control_loop
};

}  // namespace cheshire
