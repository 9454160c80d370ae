// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the daemon's telemetry says, for a person: JSON in, text out. Pure functions.
#pragma once

#include <string>

#include "tools/telemetry_client.h"

namespace cheshire {

// `status` has the answers under "services", "instances", "workers", "drops" and "cold_starts". What is
// missing is shown as "-", what is unknown is left out, what is not as expected is taken as missing.
[[nodiscard]] std::string render_status(const Json& status);

}  // namespace cheshire
