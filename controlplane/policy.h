// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How many instances a service should have. Pure functions of what was seen: no clock, no state, no side
// effect, so that a decision can be tested by a table and told from its inputs alone.
//
// Terms: the size of a service is the number of instances that accept flows or are about to (booting,
// active). demand is the flows in flight on them plus the SYNs that wait.
//
//   on_demand   way out: enough instances that none is at its soft limit, in one jump
//   idle        way in: instances that had no flow for a while are surplus, down to `min`; never so far that
//               on_demand would want them back (projection guard)
//
// The way out wins over the way in.
#pragma once

#include <cstdint>

namespace cheshire {

struct ServiceView {
  uint32_t size = 0;     // instances that are booting or active
  uint32_t booting = 0;  // those of them that are not ready yet
  uint32_t quiet = 0;    // those of them without a flow for `idle_after`
  uint32_t in_flight = 0;
  uint32_t waiting_syns = 0;
  uint32_t min = 0;
  uint32_t max = 1;
  uint32_t in_flight_soft = 1;  // per instance
};

enum class Policy : uint8_t { kNone, kOnDemand, kIdle, kBounds };
[[nodiscard]] const char* to_string(Policy policy);

struct Decision {
  uint32_t wanted = 0;
  Policy by = Policy::kNone;  // who asked for a change; kNone: stay as it is
};

[[nodiscard]] uint32_t on_demand(const ServiceView& view);
[[nodiscard]] uint32_t idle(const ServiceView& view);

// All policies together, within min and max.
[[nodiscard]] Decision decide(const ServiceView& view);

}  // namespace cheshire
