// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/steering_publisher.h"

#include "check.h"

namespace cheshire {

void SteeringPublisher::change(Instance& instance) {
  instance.table_version = next_version_;
  builder_.set(instance);
  changed_ = true;
}

void SteeringPublisher::publish(const RunningConfig& config, const std::vector<bool>& refusing) {
  changed_ = false;
  auto table = builder_.build(config.now, refusing);
  if (told_) told_(table);
  const uint64_t version = steering_.publish(std::move(table));
  CHECK(version == next_version_);
  ++next_version_;
}

}  // namespace cheshire
