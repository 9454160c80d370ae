// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From the configuration of a service to the rules that workers admit and refuse by, made anew only when that
// part of the configuration has changed: steering tables are built often, and share them. Control thread
// only.
#pragma once

#include <memory>
#include <vector>

#include "admission_rules.h"
#include "config.h"
#include "ids.h"

namespace cheshire {

[[nodiscard]] AdmissionRules make_admission_rules(const ServiceConfig& config);

class AdmissionRulesBook {
 public:
  [[nodiscard]] std::shared_ptr<const AdmissionRules> rules(ServiceIndex service,
                                                            const ServiceConfig& config);

 private:
  struct Page {
    std::shared_ptr<const AdmissionRules> rules;
    OverloadConfig overload;
    FloodConfig flood;
    HealthConfig health;
    bool hard_is_auto = false;
  };
  std::vector<Page> pages_;  // by service
};

}  // namespace cheshire
