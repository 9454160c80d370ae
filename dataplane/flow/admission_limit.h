// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How many flows an instance may have open at once, found by itself (`in_flight.hard: auto`).
//
// An instance that works on n requests at a time answers as fast with n as with one; with more, they wait in
// it, and the answer time grows with their number. So: keep the answer time near the one that it has when it
// is not crowded, `base`, and let in what that leaves room for.
//
//   answer time   of an interval: the time that clients waited for answers, summed over the flows, divided by
//                 the answers given (Little's law: no flow is stamped)
//   gradient      tolerance · base / answer time, between a half and one: below one when it is crowded
//   limit         ← limit · gradient + headroom, smoothed; it grows only while it is used
//   congestion    the guest leaves packets on its ring for longer than a bound: limit · 0.8 at once
//   base          the shortest answer time of the last kWindowSteps to twice that. Every kProbeEvery steps the
//                 limit is halved for two steps, so that base is seen even by an instance that is always full
//
// The method is that of TCP Vegas (Brakmo 1994) and of gradient limiters for RPC. Pure: a function from one
// state and one interval to the next state; the worker keeps the state per slot.
#pragma once

#include <cstdint>

namespace cheshire {

struct AdmissionOptions {
  uint32_t limit_min = 1;
  uint32_t limit_max = 1 << 20;
  double tolerance = 1.25;                  // answer time over base that is fine
  uint64_t queue_delay_max_ns = 5'000'000;  // of packets on the guest's ring
  uint64_t interval_min_ns = 10'000'000;    // a step at the earliest
  uint32_t answers_min = 8;                 // in an interval, for its mean to mean something
  // … and so many for each flow in flight: flows that began or ended outside of it are counted in part, and
  // answers of an instance come in batches.
  uint32_t turnovers_min = 4;
};

struct AdmissionState {
  double limit = 16;          // what a fresh instance may have
  double base_ns = 0;         // shortest answer time of this window; 0: nothing seen yet
  double former_base_ns = 0;  // … of the one before
  uint32_t steps = 0;         // in this window
  uint32_t probing = 0;       // so many steps more are held low, to see base
};

// What was seen of the instance since the last step.
struct AdmissionInterval {
  uint64_t length_ns = 0;
  uint64_t waited_ns = 0;  // by all flows together, for their answers
  uint64_t answers = 0;
  uint32_t in_flight_most = 0;
  uint64_t queue_delay_ns = 0;  // the longest
};

inline constexpr uint32_t kProbeEvery = 24;
inline constexpr uint32_t kProbeSteps = 2;
inline constexpr uint32_t kWindowSteps = 4 * kProbeEvery;

// Whether the interval says enough for a step.
[[nodiscard]] bool interval_is_whole(const AdmissionOptions& options, const AdmissionInterval& interval);
[[nodiscard]] AdmissionState next_admission(const AdmissionOptions& options, const AdmissionState& state,
                                            const AdmissionInterval& interval);
// The limit in force.
[[nodiscard]] uint32_t admission_limit(const AdmissionOptions& options, const AdmissionState& state);

}  // namespace cheshire
