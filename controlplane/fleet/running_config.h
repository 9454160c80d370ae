// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The configuration that runs, and the file that it came from. Control thread only.
#pragma once

#include <memory>

#include "config.h"
#include "ids.h"

namespace cheshire {

// Never changed in place: another one takes the place of each.
struct RunningConfig {
  std::shared_ptr<const Config> now;   // command_executor; control_loop, when a service is forgotten
  std::shared_ptr<const Config> file;  // command_executor: as it was last read, without what commands changed
  [[nodiscard]] const ServiceConfig& of(ServiceIndex service) const { return now->services[service.value]; }
};

}  // namespace cheshire
