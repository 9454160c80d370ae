// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a worker's parts are handed in each round: the moment, and the steering table that holds in it. One thread.
#pragma once

#include <cstdint>

#include "steering_table.h"

namespace cheshire {

struct Turn {
  uint64_t now_ns = 0;                   // monotonic, the same for all packets of a round
  const SteeringTable* table = nullptr;  // nullptr before there is one: then no packet is for anybody

  [[nodiscard]] const SteeringService& service(ServiceIndex index) const { return table->service(index); }
};

}  // namespace cheshire
