// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the NIC does for us, for telemetry: written by the offload manager's thread, read by telemetry's.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace cheshire {

// What the NIC may take over, one after the other: each only if those before it proved good.
enum class OffloadRung : uint8_t {
  kMark,  // packets of a service carry its mark and go to its queues
  kDrop,  // IPv4 for none of our addresses ends in the NIC
  kPin,   // a long flow that would be handed over comes to its owner's queue
};
inline constexpr size_t kOffloadRungs = 3;
inline constexpr std::array<std::string_view, kOffloadRungs> kOffloadRungNames = {"mark", "drop", "pin"};

enum class OffloadState : uint8_t {
  kWaiting,  // for traffic to be tried with, or for the rung before
  kTrial,    // installed, and watched
  kOn,       // verified by counters
  kOff,      // software does it; `reason` says why
};
inline constexpr std::array<std::string_view, 4> kOffloadStateNames = {"waiting", "trial", "on", "off"};

struct OffloadStatus {
  struct Rung {
    OffloadState state = OffloadState::kWaiting;
    std::string reason;  // of kOff, or of a rung that is on for a part only
    uint64_t rules = 0;
  };
  std::array<Rung, kOffloadRungs> rungs;
  uint64_t rules_created = 0;
  uint64_t rules_removed = 0;
  uint64_t rules_refused = 0;  // bound hit: the NIC takes no more
  uint64_t pins_refused = 0;   // bound hit: requests beyond the limit, ours or the NIC's
  uint64_t slowest_rule_ns = 0;
};

class OffloadBoard {
 public:
  void show(OffloadStatus status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  [[nodiscard]] OffloadStatus latest() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  mutable std::mutex mutex_;
  OffloadStatus status_;
};

}  // namespace cheshire
