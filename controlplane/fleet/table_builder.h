// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From the configuration and the instances to the steering table that the workers read. What is the same as in
// the last table is kept: a decision changes a slot or two. Control thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config.h"
#include "controlplane/fleet/admission_rules_book.h"
#include "controlplane/fleet/instance.h"
#include "controlplane/fleet/maglev.h"
#include "steering_table.h"

namespace cheshire {

// "hello/3/17": service, number among its slots, generation. For logs and telemetry.
[[nodiscard]] std::string instance_name(const Config& config, const Instance& instance);

class TableBuilder {
 public:
  explicit TableBuilder(size_t slots) : slots_(slots) {}

  // What the next table says of its slot.
  void set(const Instance& instance);
  // `refusing` by service.
  [[nodiscard]] SteeringTable build(const std::shared_ptr<const Config>& config,
                                    const std::vector<bool>& refusing);

 private:
  using MaglevOfService = std::vector<std::shared_ptr<const MaglevTable>>;
  // What the list of services was made from.
  struct Sources {
    std::shared_ptr<const Config> config;
    std::vector<bool> refusing;
    MaglevOfService maglev;  // of those in maglev_services_
    friend bool operator==(const Sources&, const Sources&) = default;
  };

  [[nodiscard]] MaglevOfService maglev_tables();
  [[nodiscard]] std::shared_ptr<const SteeringServices> make_services(const Sources& from);

  std::vector<SteeringSlot> slots_;
  std::vector<ServiceIndex> maglev_services_;  // of the newest config
  MaglevTables maglev_;
  AdmissionRulesBook rules_;
  Sources sources_;
  std::shared_ptr<const SteeringServices> services_;
};

}  // namespace cheshire
