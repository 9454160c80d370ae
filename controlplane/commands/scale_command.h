// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What `cheshire scale` makes of the configuration: a new one, or an error and nothing. Pure functions.
#pragma once

#include <cstdint>

#include "config.h"
#include "controlplane/commands/control_command.h"
#include "result.h"

namespace cheshire {

struct ScaleFacts {
  const Config& running;
  const Config& file;  // as it was last read: what reset goes back to
  uint32_t slots = 0;  // made at start
};

// The service that the command names, or an error that names the nearest one.
[[nodiscard]] Result<ServiceIndex> service_of(const Config& config, const ControlCommand& command);

// init, add, remove, reset.
[[nodiscard]] Result<Config> scaled(const ScaleFacts& facts, const ControlCommand& command);

}  // namespace cheshire
