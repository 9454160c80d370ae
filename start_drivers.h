// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which drivers the configuration needs, and how each is started. Main thread, once, at start.
#pragma once

#include <map>
#include <memory>

#include "config.h"
#include "hypervisor/driver.h"
#include "result.h"

namespace cheshire {

using Drivers = std::map<DriverKind, std::unique_ptr<Driver>>;

// One driver of each kind that the images ask for. `auto` is our own VMM where KVM works, else QEMU; the log
// says why. An error: one that was asked for by name is not to be had.
[[nodiscard]] Result<Drivers> start_drivers(const Config& config);

}  // namespace cheshire
