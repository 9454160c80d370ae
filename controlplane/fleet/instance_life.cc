// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/instance_life.h"

#include <array>

#include "check.h"

namespace cheshire {
namespace {

using enum InstanceState;
using enum LifeCause;

struct Transition {
  InstanceState from;
  LifeCause cause;
  InstanceState to;
};

constexpr Transition kTransitions[] = {
    {kAbsent, kBootOrdered, kBooting},    {kAbsent, kWarmingOrdered, kWarming},
    {kAbsent, kShellOrdered, kPreparing},

    {kPreparing, kShellMade, kShell},     {kPreparing, kDismissed, kLeaving},
    {kPreparing, kFailed, kLeaving},      {kPreparing, kShutDown, kLeaving},

    {kShell, kShellStarted, kBooting},    {kShell, kWarmingOrdered, kWarming},
    {kShell, kDismissed, kLeaving},       {kShell, kFailed, kLeaving},
    {kShell, kShutDown, kLeaving},

    {kWarming, kAnswered, kPausing},      {kWarming, kDismissed, kLeaving},
    {kWarming, kFailed, kLeaving},        {kWarming, kShutDown, kLeaving},

    {kBooting, kAnswered, kActive},       {kBooting, kDrainOrdered, kDraining},
    {kBooting, kFailed, kLeaving},        {kBooting, kShutDown, kLeaving},

    {kActive, kDrainOrdered, kDraining},  {kActive, kWentQuiet, kPausing},
    {kActive, kFailed, kLeaving},         {kActive, kShutDown, kLeaving},

    {kDraining, kCalledBack, kActive},    {kDraining, kCalledBackCold, kBooting},
    {kDraining, kKept, kPausing},         {kDraining, kDrained, kLeaving},
    {kDraining, kDrainExpired, kLeaving}, {kDraining, kFailed, kLeaving},
    {kDraining, kShutDown, kLeaving},

    {kPausing, kPaused, kStandby},        {kPausing, kPauseCalledOff, kBooting},
    {kPausing, kFailed, kLeaving},        {kPausing, kShutDown, kLeaving},

    {kStandby, kResumed, kBooting},       {kStandby, kDismissed, kLeaving},
    {kStandby, kFailed, kLeaving},        {kStandby, kShutDown, kLeaving},

    {kLeaving, kForgotten, kStopping},    {kStopping, kGone, kAbsent},
};

// By state, then cause; a state's own number plus one, 0: it cannot happen.
constexpr auto kNext = [] {
  std::array<std::array<uint8_t, kLifeCauses>, kInstanceStates> next{};
  for (const Transition& row : kTransitions) {
    next[static_cast<size_t>(row.from)][static_cast<size_t>(row.cause)] =
        static_cast<uint8_t>(static_cast<uint8_t>(row.to) + 1);
  }
  return next;
}();

}  // namespace

const char* to_string(LifeCause cause) {
  switch (cause) {
    case kBootOrdered:
      return "boot ordered";
    case kWarmingOrdered:
      return "warming ordered";
    case kShellOrdered:
      return "shell ordered";
    case kShellMade:
      return "shell made";
    case kShellStarted:
      return "shell started";
    case kResumed:
      return "resumed";
    case kAnswered:
      return "answered";
    case kWentQuiet:
      return "went quiet";
    case kDrainOrdered:
      return "drain ordered";
    case kCalledBack:
      return "called back";
    case kCalledBackCold:
      return "called back before it was ready";
    case kKept:
      return "kept on standby";
    case kDrained:
      return "drained";
    case kDrainExpired:
      return "drain deadline passed";
    case kPauseCalledOff:
      return "pause called off";
    case kPaused:
      return "paused";
    case kDismissed:
      return "dismissed";
    case kFailed:
      return "failed";
    case kShutDown:
      return "shut down";
    case kForgotten:
      return "forgotten by every worker";
    case kGone:
      return "gone";
  }
  return "?";
}

std::optional<InstanceState> next_state(InstanceState state, LifeCause cause) {
  const uint8_t next = kNext.at(static_cast<size_t>(state)).at(static_cast<size_t>(cause));
  if (next == 0) return std::nullopt;
  return static_cast<InstanceState>(next - 1);
}

void begin_generation(Instance& instance, LifeCause cause, const BeginFacts& facts, uint64_t now_ns) {
  const std::optional<InstanceState> next = next_state(instance.state, cause);
  CHECK(instance.state == kAbsent && next.has_value());
  instance = Instance{.id = {instance.id.slot, Generation{instance.id.generation.value + 1}},
                      .service = instance.service,
                      .number = instance.number,
                      .driver = facts.driver,
                      .state = *next,
                      .process_gone = false,
                      .revision = facts.revision,
                      .awaited = facts.awaited,
                      .ordered_ns = now_ns,
                      .busy_ns = now_ns,
                      .flows_opened = facts.flows_opened,
                      .packets = facts.packets,
                      .moved_ns = now_ns};
}

void change_state(Instance& instance, LifeCause cause, uint64_t now_ns) {
  const std::optional<InstanceState> next = next_state(instance.state, cause);
  CHECK(next.has_value() && instance.state != kAbsent);
  instance.state.enter(*next);
  switch (cause) {
    case kShellStarted:
    case kWarmingOrdered:
      instance.tier = StartTier::kShell;
      instance.ordered_ns = now_ns;
      instance.busy_ns = now_ns;
      break;
    case kResumed:
      instance.tier = StartTier::kStandby;
      instance.ordered_ns = now_ns;
      instance.busy_ns = now_ns;
      instance.moved_ns = now_ns;
      break;
    case kAnswered:
      instance.ready_ns = now_ns;
      if (*next == kActive) {
        instance.busy_ns = now_ns;
        instance.moved_ns = now_ns;
      }
      break;
    case kDrainOrdered:
      instance.drain_began_ns = now_ns;
      instance.empty_since_ns = 0;
      break;
    case kCalledBack:
    case kCalledBackCold:
      instance.ordered_ns = now_ns;
      instance.busy_ns = now_ns;
      break;
    // Its vCPU still runs; it shows anew that it is ready, as every instance that comes back from standby.
    case kPauseCalledOff:
      instance.ordered_ns = now_ns;
      instance.busy_ns = now_ns;
      instance.awaited = false;
      break;
    case kFailed:
      instance.failed = true;
      break;
    case kGone:
      instance.pid = 0;
      instance.retiring = false;
      instance.last_resort = false;
      instance.replaces = false;
      break;
    default:
      break;
  }
  if (*next == kPausing) {
    instance.pause_ordered_ns = 0;
    instance.pause_packets = instance.packets;
  }
}

}  // namespace cheshire
