// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Instances on their way out: off the table, then, when every worker has passed that, told to end, then, when
// the process is gone and its connection closed, absent. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "controlplane/fleet/driver_orders.h"
#include "controlplane/fleet/instance_pool.h"
#include "controlplane/fleet/running_config.h"
#include "controlplane/fleet/steering_publisher.h"
#include "load_board.h"

namespace cheshire {

class Departures {
 public:
  // `connected`: whether a VM is still connected to the slot's vhost-user socket.
  using Connected = std::function<bool(SlotIndex)>;
  Departures(const RunningConfig& config, const LoadBoard& board, InstancePool& pool,
             SteeringPublisher& steering, DriverOrders& orders, Connected connected)
      : config_(config),
        board_(board),
        pool_(pool),
        steering_(steering),
        orders_(orders),
        connected_(std::move(connected)) {}

  // It has just become leaving.
  void begin(SlotIndex slot) { slots_.push_back(slot); }
  [[nodiscard]] bool any() const { return !slots_.empty(); }
  void progress(uint64_t now_ns);

 private:
  const RunningConfig& config_;
  const LoadBoard& board_;
  InstancePool& pool_;
  SteeringPublisher& steering_;
  DriverOrders& orders_;
  const Connected connected_;
  std::vector<SlotIndex> slots_;  // leaving or stopping
};

}  // namespace cheshire
