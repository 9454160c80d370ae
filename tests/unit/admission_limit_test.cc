// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The limiter against a model of what it has to find: an instance with so many workers of so many
// milliseconds, and as many clients as are let in.
#include "dataplane/flow/admission_limit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "units.h"

namespace cheshire {
namespace {

struct Instance {
  const char* what;
  uint32_t workers;
  uint64_t service_ns;
};

// What an interval of a second looks like with `offered` clients at a time, of whom the limit lets in some.
AdmissionInterval interval_of(const Instance& instance, uint32_t limit, uint32_t offered) {
  const uint32_t in_flight = std::min(limit, offered);
  const double rate = std::min(in_flight, instance.workers) / static_cast<double>(instance.service_ns);
  constexpr uint64_t kLength = kNsPerSecond;
  return {.length_ns = kLength,
          .waited_ns = in_flight * kLength,
          .answers = static_cast<uint64_t>(rate * kLength),
          .in_flight_most = in_flight};
}

uint32_t settled(const Instance& instance, uint32_t offered, uint32_t steps = 200) {
  const AdmissionOptions options;
  AdmissionState state;
  for (uint32_t i = 0; i < steps; ++i) {
    const AdmissionInterval interval = interval_of(instance, admission_limit(options, state), offered);
    if (interval_is_whole(options, interval)) state = next_admission(options, state, interval);
  }
  return static_cast<uint32_t>(state.limit);
}

TEST(AdmissionLimit, FindsTheConcurrencyOfAnInstance) {
  const Instance instances[] = {{"8 workers of 50 ms", 8, 50 * kNsPerMs},
                                {"2 workers of 5 ms", 2, 5 * kNsPerMs},
                                {"32 workers of 20 ms", 32, 20 * kNsPerMs},
                                {"200 workers of 100 ms", 200, 100 * kNsPerMs}};
  for (const Instance& instance : instances) {
    const uint32_t limit = settled(instance, 10'000, 600);
    EXPECT_GE(limit, instance.workers) << instance.what << ": all workers have work";
    EXPECT_LE(limit, 2 * instance.workers + 2) << instance.what << ": nobody waits longer than he is served";
  }
}

TEST(AdmissionLimit, ALightLoadMovesNothing) {
  EXPECT_EQ(settled({"8 workers of 50 ms", 8, 50 * kNsPerMs}, 3), 16U);
}

TEST(AdmissionLimit, FollowsAnInstanceThatBecomesSlower) {
  const AdmissionOptions options;
  AdmissionState state;
  const Instance fast{"fast", 16, 20 * kNsPerMs};
  const Instance slow{"slow", 4, 20 * kNsPerMs};
  for (int i = 0; i < 200; ++i) {
    state = next_admission(options, state, interval_of(fast, admission_limit(options, state), 10'000));
  }
  for (int i = 0; i < 100; ++i) {
    state = next_admission(options, state, interval_of(slow, admission_limit(options, state), 10'000));
  }
  EXPECT_GE(state.limit, 4);
  EXPECT_LE(state.limit, 11);
}

TEST(AdmissionLimit, CongestionOnTheRingLowersItAtOnce) {
  const AdmissionOptions options;
  AdmissionState state{.limit = 100};
  AdmissionInterval stuck{.length_ns = 10 * kNsPerMs, .queue_delay_ns = 6 * kNsPerMs};
  EXPECT_TRUE(interval_is_whole(options, stuck));
  state = next_admission(options, state, stuck);
  EXPECT_DOUBLE_EQ(state.limit, 80);
  for (int i = 0; i < 100; ++i) state = next_admission(options, state, stuck);
  EXPECT_EQ(admission_limit(options, state), options.limit_min);
}

TEST(AdmissionLimit, AnIntervalNeedsTimeAndAnswers) {
  const AdmissionOptions options;
  struct Case {
    const char* what;
    AdmissionInterval interval;
    bool whole;
  };
  const Case cases[] = {
      {"too short", {.length_ns = 9 * kNsPerMs, .answers = 100}, false},
      {"too few answers", {.length_ns = 90 * kNsPerMs, .answers = 7}, false},
      {"both", {.length_ns = 10 * kNsPerMs, .answers = 8}, true},
      {"too few for those in flight",
       {.length_ns = 10 * kNsPerMs, .answers = 39, .in_flight_most = 10},
       false},
      {"enough for them", {.length_ns = 10 * kNsPerMs, .answers = 40, .in_flight_most = 10}, true},
      {"nothing", {}, false},
  };
  for (const Case& c : cases) EXPECT_EQ(interval_is_whole(options, c.interval), c.whole) << c.what;
}

TEST(AdmissionLimit, StaysWithinItsBounds) {
  AdmissionOptions options{.limit_min = 4, .limit_max = 20};
  AdmissionState state{.limit = 20};
  for (uint64_t i = 0; i < 1000; ++i) {
    const bool crowded = i % 300 > 150;
    state = next_admission(options, state,
                           {.length_ns = 10 * kNsPerMs,
                            .waited_ns = crowded ? 800 * kNsPerMs : 8 * kNsPerMs,
                            .answers = 8,
                            .in_flight_most = 20});
    EXPECT_GE(admission_limit(options, state), 4U);
    EXPECT_LE(admission_limit(options, state), 20U);
  }
}

}  // namespace
}  // namespace cheshire
