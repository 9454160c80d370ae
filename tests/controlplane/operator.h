// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// An operator at the control loop's stage: commands, and the answers as words.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "tests/controlplane/control_loop_begin.h"

namespace cheshire::test {

[[nodiscard]] inline Config with_spare(Config config, uint32_t slots, uint32_t services = 0) {
  config.spare = {.services = services, .slots = slots};
  return config;
}

// What was done; a refusal is a failure of the test.
[[nodiscard]] inline std::string told(ControlStage& stage, const ControlCommand& command) {
  const CommandAnswer answer = stage.control().execute(command, stage.now_ns());
  EXPECT_FALSE(answer.error) << answer.error->what;
  return answer.done;
}
// Why not; an obeyed command is a failure of the test.
[[nodiscard]] inline std::string refusal(ControlStage& stage, const ControlCommand& command) {
  const CommandAnswer answer = stage.control().execute(command, stage.now_ns());
  EXPECT_TRUE(answer.error) << answer.done;
  return answer.error ? answer.error->what : "";
}

[[nodiscard]] inline ControlCommand scale_init(std::optional<uint32_t> min, std::optional<uint32_t> max) {
  return {.kind = CommandKind::kScaleInit, .service = "web", .min_size = min, .max_size = max};
}
[[nodiscard]] inline ControlCommand reload_of(const Config& file) {
  return {.kind = CommandKind::kReload, .file = std::make_shared<const Config>(file)};
}

// Three instances with flows.
inline void start_three(ControlStage& stage) {
  stage.syns_wait(9);
  stage.advance(kBootNs);
  for (uint16_t slot = 0; slot < 3; ++slot) stage.answers(slot);
  for (uint16_t slot = 0; slot < 3; ++slot) stage.has_flows(slot, 3);
  stage.advance(kNsPerMs);
  ASSERT_EQ(stage.states().substr(0, 20), "active active active");
}

}  // namespace cheshire::test
