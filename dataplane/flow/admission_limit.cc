// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/admission_limit.h"

#include <algorithm>
#include <cmath>

namespace cheshire {
namespace {

constexpr double kGradientLeast = 0.5;
constexpr double kSmoothing = 0.3;   // weight of the new limit
constexpr double kCongested = 0.8;   // of the limit, at once
constexpr double kProbeShare = 0.5;  // of the limit, while base is looked for
constexpr double kUsed = 0.75;       // of the limit in flight: it is what holds clients back

// 0: nothing seen.
double shorter(double a, double b) {
  if (a == 0) return b;
  if (b == 0) return a;
  return std::min(a, b);
}

}  // namespace

bool interval_is_whole(const AdmissionOptions& options, const AdmissionInterval& interval) {
  if (interval.length_ns < options.interval_min_ns) return false;
  if (interval.queue_delay_ns > options.queue_delay_max_ns) return true;
  return interval.answers >= options.answers_min &&
         interval.answers >= uint64_t{options.turnovers_min} * interval.in_flight_most;
}

AdmissionState next_admission(const AdmissionOptions& options, const AdmissionState& state,
                              const AdmissionInterval& interval) {
  AdmissionState next = state;
  const auto bounded = [&](double limit) {
    return std::clamp(limit, static_cast<double>(options.limit_min), static_cast<double>(options.limit_max));
  };
  if (interval.queue_delay_ns > options.queue_delay_max_ns) {
    next.limit = bounded(state.limit * kCongested);
    next.probing = 0;
    return next;
  }
  if (interval.answers == 0) return next;
  const double answer_ns =
      std::max(static_cast<double>(interval.waited_ns) / static_cast<double>(interval.answers), 1.0);
  next.base_ns = shorter(state.base_ns, answer_ns);
  if (++next.steps % kProbeEvery == 0) next.probing = kProbeSteps;
  if (next.steps >= kWindowSteps) {
    next.former_base_ns = next.base_ns;
    next.base_ns = 0;
    next.steps = 0;
  }
  if (state.probing != 0) {
    // The limit in force was another one: what was seen says nothing about this one.
    next.probing = state.probing - 1;
    return next;
  }
  const double base_ns = shorter(next.former_base_ns, next.base_ns);
  const double gradient = std::clamp(options.tolerance * base_ns / answer_ns, kGradientLeast, 1.0);
  // A queue of a sixteenth is always offered: without one the instance would idle between two flows.
  const double headroom = 1 + state.limit / 16;
  const double wanted = state.limit * gradient + headroom;
  const bool used = interval.in_flight_most >= kUsed * state.limit;
  if (wanted > state.limit && !used) return next;
  next.limit = bounded(state.limit + kSmoothing * (wanted - state.limit));
  return next;
}

uint32_t admission_limit(const AdmissionOptions& options, const AdmissionState& state) {
  const double limit = state.probing != 0 ? state.limit * kProbeShare : state.limit;
  return std::max(options.limit_min, static_cast<uint32_t>(std::lround(limit)));
}

}  // namespace cheshire
