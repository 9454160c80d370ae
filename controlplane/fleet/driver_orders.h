// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The orders of a round, kept until the table that goes with them is published, and then given: the only hands
// on the drivers. Looking at a driver (events, usage) is no order, and is the observer's. Control thread only.
#pragma once

#include <map>
#include <vector>

#include "controlplane/fleet/instance_pool.h"
#include "hypervisor/driver.h"
#include "ids.h"

namespace cheshire {

using DriverMap = std::map<DriverKind, Driver*>;  // those of one name may be the same

class DriverOrders {
 public:
  DriverOrders(const DriverMap& drivers, const InstancePool& pool);

  // Booted, or only prepared where that is its state.
  void begin(BootOrder order) { begins_.push_back(std::move(order)); }
  void run(InstanceId id) { runs_.push_back(id); }  // a shell, or a paused one
  void pause(InstanceId id) { pauses_.push_back(id); }
  void stop(InstanceId id) { stops_.push_back(id); }
  [[nodiscard]] bool starts_some() const { return !begins_.empty() || !runs_.empty(); }
  void give();

 private:
  [[nodiscard]] Driver& driver_of(InstanceId id) const;
  // Within the round that wanted the order, as the daemon ends or its service goes: it is in no table any more, and is
  // only stopped.
  [[nodiscard]] bool is_given_up(InstanceId id) const;

  const DriverMap& drivers_;
  const InstancePool& pool_;
  std::vector<BootOrder> begins_;
  std::vector<InstanceId> runs_;
  std::vector<InstanceId> pauses_;
  std::vector<InstanceId> stops_;
};

}  // namespace cheshire
