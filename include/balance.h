// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How a service spreads its new flows over its instances (dataplane/flow/chooser.h says exactly how).
#pragma once

#include <cstdint>
#include <vector>

#include "ids.h"

namespace cheshire {

enum class Balance : uint8_t {
  kLeast,       // the instance with the fewest flows in flight
  kTwoChoices,  // the emptier of two instances at random
  kMaglev,      // the instance that a hash of the flow names: the same client port, the same instance
};

// A consistent-hashing table: a hash of the flow, scaled to its size, names a slot. Made by
// controlplane/fleet/maglev.h, immutable.
struct MaglevTable {
  std::vector<SlotIndex> slots;
};

}  // namespace cheshire
