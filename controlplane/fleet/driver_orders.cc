// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/driver_orders.h"

#include <utility>

namespace cheshire {

DriverOrders::DriverOrders(const DriverMap& drivers, const InstancePool& pool)
    : drivers_(drivers), pool_(pool) {
  begins_.reserve(pool.all().size());
}

Driver& DriverOrders::driver_of(InstanceId id) const {
  return *drivers_.at(pool_.at(id.slot).driver);
}

bool DriverOrders::is_given_up(InstanceId id) const {
  return pool_.at(id.slot).state == InstanceState::kLeaving;
}

void DriverOrders::give() {
  for (BootOrder& order : begins_) {
    Driver& driver = driver_of(order.id);
    if (pool_.at(order.id.slot).state == InstanceState::kPreparing) {
      driver.prepare(std::move(order));
    } else {
      driver.boot(std::move(order));
    }
  }
  begins_.clear();
  for (const InstanceId id : runs_) {
    if (!is_given_up(id)) driver_of(id).run(id);
  }
  runs_.clear();
  for (const InstanceId id : pauses_) {
    if (!is_given_up(id)) driver_of(id).pause(id);
  }
  pauses_.clear();
  for (const InstanceId id : stops_) driver_of(id).stop(id);
  stops_.clear();
}

}  // namespace cheshire
