// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the tests of the control loop begin with.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "tests/support/control_stage.h"

namespace cheshire {

inline void PrintTo(const Generation& generation, std::ostream* out) {
  *out << generation.value;
}

namespace test {

inline constexpr uint64_t kBootNs = 12 * kNsPerMs;  // the fake's spawn and guest, and a tick or two

// Three instances at most, a soft limit of four flows.
inline ServiceConfig three() {
  return {.instances_max = 3,
          .in_flight_soft = 4,
          .boot_deadline_ns = 2 * kNsPerSecond,
          .idle_after_ns = 100 * kNsPerMs,
          .drain_deadline_ns = kNsPerSecond};
}

inline ServiceConfig only_one() {
  ServiceConfig service = three();
  service.instances_max = 1;
  return service;
}

// An instance in slot 0, ready, without a flow.
inline void has_served(ControlStage& stage) {
  stage.syns_wait(1);
  stage.advance(kBootNs);
  stage.answers(0);
  stage.advance(kNsPerMs);
  stage.has_flows(0, 0);
  stage.advance(kNsPerMs);
  ASSERT_EQ(stage.instance(0).state, InstanceState::kActive);
}

}  // namespace test
}  // namespace cheshire
