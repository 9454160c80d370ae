// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The steering tables of the workers: what changed in a round, made known to them as one table. An instance
// that is ordered is in a table before its driver hears of it, so that no VM connects to a slot that nobody
// expects. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "controlplane/fleet/instance.h"
#include "controlplane/fleet/running_config.h"
#include "controlplane/fleet/table_builder.h"
#include "published.h"
#include "steering_table.h"

namespace cheshire {

class SteeringPublisher {
 public:
  using Told = std::function<void(const SteeringTable&)>;
  // `told` of each table that is published; empty: nobody wants to know.
  SteeringPublisher(Published<SteeringTable>& steering, Told told, size_t slots)
      : steering_(steering), told_(std::move(told)), builder_(slots) {}

  // The instance's role of now is in the next table.
  void change(Instance& instance);
  // What a service is like is, too.
  void change_services() { changed_ = true; }
  [[nodiscard]] bool changed() const { return changed_; }
  // `refusing` by service: its boots fail again and again, or it is removed.
  void publish(const RunningConfig& config, const std::vector<bool>& refusing);

  [[nodiscard]] uint64_t next_version() const { return next_version_; }
  [[nodiscard]] bool passed_by_all(uint64_t version) const { return steering_.passed_by_all(version); }
  // Frees tables that every worker has passed.
  void reclaim() { steering_.reclaim(); }

 private:
  Published<SteeringTable>& steering_;
  const Told told_;
  TableBuilder builder_;
  bool changed_ = true;
  uint64_t next_version_ = 1;
};

}  // namespace cheshire
