// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From the configuration and the instances to the steering table that the workers read. Pure, but for the
// Maglev tables and rules that it keeps.
#pragma once

#include <span>
#include <string>

#include "config.h"
#include "controlplane/admission_rules_book.h"
#include "controlplane/instance.h"
#include "controlplane/maglev.h"
#include "steering_table.h"

namespace cheshire {

// "hello/3/17": service, number among its slots, generation. For logs and telemetry.
[[nodiscard]] std::string instance_name(const Config& config, const Instance& instance);

// `instances` by slot, `refusing` by service.
[[nodiscard]] SteeringTable build_steering_table(const Config& config, std::span<const Instance> instances,
                                                 const std::vector<bool>& refusing, MaglevTables& maglev,
                                                 AdmissionRulesBook& rules);

}  // namespace cheshire
