// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The life of an instance: which state follows from which, and by what cause. One table, and it is enforced:
// what is not in it does not happen.
//
//   absent ────────────► booting ► active ► draining ► leaving ► stopping ► absent
//     │ ▲                  ▲  ▲       │        │          ▲
//     │ └ preparing ► shell┘  │       ▼        ▼          │
//     │                       └────standby ◄ pausing      │
//     └► warming ────────────────────────────►┘           │
//                 any that fails ─────────────────────────┘
//
// A walked example. A client's SYN waits: kBootOrdered, booting. Its SYN-ACK was seen: kAnswered, active. It
// had no flow for a while: kDrainOrdered, draining. A client comes after all: kCalledBack, active again.
//
// begin_generation() and change_state() are the only functions that change a state (the type of
// Instance::state keeps others from it), and with it they set what begins in the new state. Who wants a change
// decides that elsewhere (planner.h, departures.h). Control thread only; no board, no driver, no clock.
#pragma once

#include <cstdint>
#include <optional>

#include "controlplane/fleet/instance.h"

namespace cheshire {

enum class LifeCause : uint8_t {
  kBootOrdered,     // somebody wants it, and nothing faster than a boot is there
  kWarmingOrdered,  // the standby pool wants it: booted, or run from a shell, ahead of any client
  kShellOrdered,    // the pool of shells wants it
  kShellMade,       // the driver says that it is prepared
  kShellStarted,    // somebody wants it
  kResumed,         // somebody wants it, or a packet came for one of its flows
  kAnswered,        // its SYN-ACK was seen
  kWentQuiet,       // its open flows are all quiet (`idle: pause`)
  kDrainOrdered,    // it is surplus, or goes for good
  kCalledBack,      // wanted again while it drains, and it had been ready
  kCalledBackCold,  // wanted again while it drains, but it has not yet been seen to answer
  kKept,            // drained, and the standby pool wants it
  kDrained,         // no flow is left
  kDrainExpired,    // its drain deadline has passed; flows are reset
  kPauseCalledOff,  // a packet came before every worker knew of the pause
  kPaused,          // the driver says that its vCPU is paused
  kDismissed,       // a pool has too many, or it goes for good and has no flow
  kFailed,          // it died, came too late, or is silent
  kShutDown,        // the daemon ends
  kForgotten,       // every worker has passed a table without it
  kGone,            // its process is gone and its connection closed
};
inline constexpr uint8_t kLifeCauses = 21;
[[nodiscard]] const char* to_string(LifeCause cause);

// nullopt: that cannot happen in this state.
[[nodiscard]] std::optional<InstanceState> next_state(InstanceState state, LifeCause cause);

// What is known about a generation when it is ordered.
struct BeginFacts {
  DriverKind driver = DriverKind::kAuto;
  uint32_t revision = 0;
  bool awaited = false;
  uint64_t flows_opened = 0;  // in the slot so far
  uint64_t packets = 0;
};

// A new generation in an absent instance's slot: kBootOrdered, kWarmingOrdered or kShellOrdered.
void begin_generation(Instance& instance, LifeCause cause, const BeginFacts& facts, uint64_t now_ns);

// Anything else that happens to it. Our own bug if the table does not have it.
void change_state(Instance& instance, LifeCause cause, uint64_t now_ns);

}  // namespace cheshire
