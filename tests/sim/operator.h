// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// An operator who asks for anything that the control socket would let through: sizes, policies, drains, and reloads of a
// file in which services, bounds and images have changed.
#pragma once

#include "controlplane/control_loop.h"
#include "tests/sim/scene.h"

namespace cheshire::sim {

class PlayedOperator {
 public:
  explicit PlayedOperator(Scene& scene)
      : scene_(scene), file_(scene.plan.config), next_number_(static_cast<uint32_t>(file_.services.size())) {}

  void act(ControlLoop& control);

 private:
  [[nodiscard]] ControlCommand scale(const ServiceConfig& service);
  [[nodiscard]] ControlCommand drain(const ControlLoop& control);
  [[nodiscard]] ControlCommand reload();

  Scene& scene_;
  Config file_;  // as it lies on the disk
  uint32_t next_number_;
};

}  // namespace cheshire::sim
