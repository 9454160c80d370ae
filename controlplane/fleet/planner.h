// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From what was seen and decided to a list of actions: who is called back, resumed, started, booted, drained,
// paused, retired, dismissed, failed, and in which order. Always by the fastest tier there is; the pools that
// keep tiers ready are filled only when nobody waits.
//
// Pure functions of a snapshot, a decision and the time: no driver is called, no board is read. What is planned
// is played on the snapshot at once, so that a later step sees the earlier ones; the real instances change when
// the plan is run (plan_runner.h).
//
// A walked example. Two SYNs wait at a service with a draining and an absent instance, the decision wants 2:
//   {change, slot 0, called back}  {begin, slot 1, boot ordered}
//
// A plan is bounded: kActionsPerInstance for each slot that the service has. Control thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "controlplane/fleet/instance_life.h"
#include "controlplane/fleet/service_snapshot.h"
#include "controlplane/policy/policy.h"
#include "ids.h"

namespace cheshire {

enum class ActionKind : uint8_t {
  kBegin,           // a new generation in an absent instance's slot, ordered from its driver
  kBeginSuccessor,  // likewise, in the place of one of an old image; perhaps in a slot that nobody has
  kChange,          // to the state that follows from `cause`; a run order goes with those that run
  kOrderPause,      // pausing: every worker knows, so the driver is told
  kFail,            // `why`; it leaves
  kProve,           // it has been active for so long that its boot counts as a success
  kRetire,          // from now on it goes for good
  kSucceed,         // a successor took its place: it counts as any other
  kServeAsLast,     // draining for good, it goes on taking new flows
  kStopServing,     // … and no more
};

struct Action {
  ActionKind kind = ActionKind::kChange;
  SlotIndex slot;
  LifeCause cause = LifeCause::kBootOrdered;
  const char* why = nullptr;  // kFail
  bool silent = false;        // kFail: it stopped answering
  friend bool operator==(const Action&, const Action&) = default;
};

struct Plan {
  std::vector<Action> actions;
  size_t by_decision = 0;  // so many of the first ones are what the decision wanted
  void clear() {
    actions.clear();
    by_decision = 0;
  }
};
inline constexpr size_t kActionsPerInstance = 8;

// What follows from what was seen alone: became ready, is proven, died, is silent, came too late, is drained,
// can be paused, is woken.
void plan_from_sight(ServiceSnapshot& snapshot, uint64_t now_ns, Plan& plan);

// Size first, as decided; then the replacement of old images, the last resort, pauses, and the pools.
void plan(ServiceSnapshot& snapshot, const ServiceView& view, const Decision& decision, uint64_t now_ns,
          Plan& plan);

// The instance goes for good: drained if it may have flows, else dismissed.
void plan_retirement(ServiceSnapshot& snapshot, SlotIndex slot, uint64_t now_ns, Plan& plan);

// A service that the config no longer has: all its instances go for good.
void plan_wind_down(ServiceSnapshot& snapshot, uint64_t now_ns, Plan& plan);

// The daemon ends: all leave at once.
void plan_shutdown(ServiceSnapshot& snapshot, uint64_t now_ns, Plan& plan);

// What an action does to the instance that it is about; the same for a snapshot's copy and for the real one.
void play(Instance& instance, const Action& action, const BeginFacts& facts, uint64_t now_ns);
// Failed or died so early that it counts as a boot that failed.
[[nodiscard]] bool dies_young(const Instance& instance, uint64_t now_ns);

}  // namespace cheshire
