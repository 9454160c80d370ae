// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/policy.h"

#include <gtest/gtest.h>

#include <ostream>

#include "tests/support/sentence.h"

namespace cheshire {

void PrintTo(Policy policy, std::ostream* out) {
  *out << to_string(policy);
}

namespace test {
namespace {

struct Row {
  const char* sentence;
  ServiceView view;
  uint32_t wanted;
  Policy by;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.sentence;
}

class Decide : public ::testing::TestWithParam<Row> {};

TEST_P(Decide, wants) {
  const Decision decision = decide(GetParam().view);
  EXPECT_EQ(decision.wanted, GetParam().wanted);
  EXPECT_EQ(decision.by, GetParam().by);
}

const Row kRows[] = {
    {"nobody asks and nobody is there: stay", {.max = 4}, 0, Policy::kNone},
    {"a SYN waits and nobody is there: one",
     {.waiting_syns = 1, .max = 4, .in_flight_soft = 10},
     1,
     Policy::kOnDemand},
    {"a SYN waits and one boots: stay",
     {.size = 1, .booting = 1, .waiting_syns = 1, .max = 4, .in_flight_soft = 10},
     1,
     Policy::kNone},
    {"below the soft limit: stay",
     {.size = 1, .in_flight = 9, .max = 4, .in_flight_soft = 10},
     1,
     Policy::kNone},
    {"at the soft limit: one more",
     {.size = 1, .in_flight = 10, .max = 4, .in_flight_soft = 10},
     2,
     Policy::kOnDemand},
    {"waiting SYNs count like flows",
     {.size = 1, .in_flight = 5, .waiting_syns = 5, .max = 4, .in_flight_soft = 10},
     2,
     Policy::kOnDemand},
    {"far above: all in one jump",
     {.size = 1, .in_flight = 35, .max = 9, .in_flight_soft = 10},
     4,
     Policy::kOnDemand},
    {"more than max: max",
     {.size = 1, .in_flight = 1000, .max = 4, .in_flight_soft = 10},
     4,
     Policy::kOnDemand},
    {"at max: stay", {.size = 4, .in_flight = 1000, .max = 4, .in_flight_soft = 10}, 4, Policy::kNone},
    {"a soft limit of one: one more than flows",
     {.size = 2, .in_flight = 2, .max = 4, .in_flight_soft = 1},
     3,
     Policy::kOnDemand},
    {"the quiet one goes", {.size = 1, .quiet = 1, .max = 4, .in_flight_soft = 10}, 0, Policy::kIdle},
    {"quiet, but a SYN waits: stay",
     {.size = 1, .quiet = 1, .waiting_syns = 1, .max = 4, .in_flight_soft = 10},
     1,
     Policy::kNone},
    {"the quiet ones of several go",
     {.size = 3, .quiet = 2, .in_flight = 3, .max = 4, .in_flight_soft = 10},
     1,
     Policy::kIdle},
    {"never so far that they were wanted back",
     {.size = 3, .quiet = 2, .in_flight = 15, .max = 4, .in_flight_soft = 10},
     2,
     Policy::kIdle},
    {"just enough: stay",
     {.size = 2, .quiet = 1, .in_flight = 10, .max = 4, .in_flight_soft = 10},
     2,
     Policy::kNone},
    {"quiet, but no less than min",
     {.size = 3, .quiet = 3, .min = 2, .max = 4, .in_flight_soft = 10},
     2,
     Policy::kIdle},
    {"below min: min", {.size = 0, .min = 2, .max = 4, .in_flight_soft = 10}, 2, Policy::kBounds},
    {"at min and quiet: stay",
     {.size = 2, .quiet = 2, .min = 2, .max = 4, .in_flight_soft = 10},
     2,
     Policy::kNone},
    {"demand above min wins over min",
     {.size = 0, .waiting_syns = 25, .min = 2, .max = 4, .in_flight_soft = 10},
     3,
     Policy::kOnDemand},
};
INSTANTIATE_TEST_SUITE_P(A, Decide, ::testing::ValuesIn(kRows), kSentenceAsName);

TEST(Policies, on_demand_never_wants_fewer_and_idle_never_more) {
  for (uint32_t size = 0; size <= 6; ++size) {
    for (uint32_t quiet = 0; quiet <= size; ++quiet) {
      for (uint32_t demand = 0; demand <= 30; ++demand) {
        const ServiceView view{
            .size = size, .quiet = quiet, .in_flight = demand, .max = 6, .in_flight_soft = 4};
        EXPECT_GE(on_demand(view), size);
        EXPECT_LE(idle(view), size);
        EXPECT_GE(idle(view), size - quiet);
      }
    }
  }
}

// Under any constant load the size goes one way and then stays, whatever is quiet meanwhile.
TEST(Policies, do_not_oscillate_at_any_constant_load) {
  for (const uint32_t min : {0U, 1U, 3U}) {
    for (const uint32_t max : {3U, 8U}) {
      for (uint32_t soft = 1; soft <= 9; ++soft) {
        for (uint32_t demand = 0; demand <= 80; ++demand) {
          for (uint32_t waiting : {0U, demand}) {
            for (uint32_t start = 0; start <= max; ++start) {
              for (uint32_t quiet = 0; quiet <= start; ++quiet) {
                ServiceView view{.size = start,
                                 .quiet = quiet,
                                 .in_flight = demand - waiting,
                                 .waiting_syns = waiting,
                                 .min = min,
                                 .max = max,
                                 .in_flight_soft = soft};
                const uint32_t next = decide(view).wanted;
                ASSERT_TRUE(next >= min && next <= max);
                view.size = next;
                for (view.quiet = 0; view.quiet <= next; ++view.quiet) {
                  const uint32_t then = decide(view).wanted;
                  ASSERT_FALSE(next < start && then > next) << start << " > " << next << " > " << then;
                  ASSERT_FALSE(next > start && then < next && next != min)
                      << start << " > " << next << " > " << then;
                }
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace test
}  // namespace cheshire
