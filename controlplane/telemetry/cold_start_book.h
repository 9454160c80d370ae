// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The newest cold starts with the times of their stages, for telemetry. Control thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "controlplane/fleet/instance.h"
#include "controlplane/telemetry/status.h"
#include "load_board.h"

namespace cheshire {

class ColdStartBook {
 public:
  // An instance has just become active. Returns whether that was a cold start: somebody waited for it.
  bool note(const Instance& instance, const SlotLoad& load, const std::string& name);
  // Oldest first, bounded.
  [[nodiscard]] const std::deque<ColdStart>& newest() const { return newest_; }

 private:
  std::deque<ColdStart> newest_;
  uint64_t seen_ = 0;  // in the life of the daemon
};

}  // namespace cheshire
