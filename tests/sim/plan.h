// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What kind of world a seed makes: the configuration of the code under test, and how often what goes wrong. Small
// bounds and short times, so that all of them are met within a second or two of made-up time.
//
// Anything may go wrong in any world, but in one of six nothing does: there every client has to be answered or refused.
// The others each have a theme that is never missing, so that a few worlds in a row meet every kind of trouble.
#pragma once

#include <cstdint>

#include "config.h"
#include "tests/sim/random.h"
#include "units.h"

namespace cheshire::sim {

// Of guests: how they boot, and how well they are.
struct GuestPlan {
  size_t ring_max = 128;            // packets that lie in its ring at the most
  uint64_t up_max_ns = 0;           // from the order until its rings are up
  uint64_t listens_max_ns = 0;      // from there until its application listens
  uint64_t service_max_ns = 0;      // for one request
  bool down_when_paused = false;    // its device goes down with its vCPU, as QEMU's does
  unsigned boot_fails_percent = 0;  // one way or another
  unsigned falls_ill_percent = 0;   // of instances, some time in their life
  unsigned crashes_percent = 0;     // likewise: the process is killed
};

struct WirePlan {
  uint64_t delay_min_ns = 5 * kNsPerUs;
  uint64_t delay_max_ns = 50 * kNsPerUs;
  uint64_t lost_ppm = 0;
  uint64_t doubled_ppm = 0;
  bool changes_queues = false;  // packets of one connection come to any worker
};

struct ClientPlan {
  uint32_t hosts = 8;
  uint32_t open_max = 64;            // connections at once
  uint64_t gap_ns = kNsPerMs;        // between two arrivals, in the mean, when it is busy
  uint64_t think_max_ns = kNsPerMs;  // between two requests
  uint64_t retransmit_ns = 100 * kNsPerMs;
  unsigned vanish_percent = 0;
  unsigned hang_up_percent = 0;
  unsigned reuse_percent = 0;
  unsigned storms_percent = 0;  // of the moments at which something may go wrong
};

enum class Theme : uint8_t { kFair, kStorms, kBoots, kGuests, kClients, kOperator };
inline constexpr uint64_t kThemes = 6;

struct Plan {
  Theme theme = Theme::kFair;
  bool fair = false;  // nothing goes wrong
  Config config;
  size_t load_records = 4096;  // of each worker's ring
  GuestPlan guests;
  WirePlan wire;
  ClientPlan clients;
  uint64_t step_max_ns = 20 * kNsPerUs;  // between two moments while something moves
  uint64_t control_tick_ns = 100 * kNsPerUs;
  uint64_t load_ns = 0;       // how long clients come
  uint64_t trouble_ns = 0;    // between two moments at which something may go wrong; 0: never
  unsigned late_percent = 0;  // … a worker or the control thread is late
  unsigned command_percent = 0;
  unsigned pool_empty_percent = 0;
  bool ends_under_load = false;
};

[[nodiscard]] Plan make_plan(uint64_t seed, Random& random);
// A service that is not there yet, or another one in the place of `before`.
[[nodiscard]] ServiceConfig make_service(Random& random, uint32_t number, const Plan& plan);

}  // namespace cheshire::sim
