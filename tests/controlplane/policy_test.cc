// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/policy/policy.h"

#include <gtest/gtest.h>

#include <ostream>

#include "controlplane/policy/policy_kind.h"
#include "tests/controlplane/policy_printing.h"
#include "tests/support/sentence.h"

namespace cheshire {
namespace test {
namespace {

constexpr uint64_t kNow = kNsPerSecond;

// `by` is who asks for a change, even where it has to stay as it is.
struct Row {
  const char* sentence;
  ServiceView view;
  ServiceConfig rules;  // with the policies that a service has by default
  uint32_t wanted;
  Reason by;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.sentence;
}

class Decide : public ::testing::TestWithParam<Row> {};

TEST_P(Decide, wants) {
  const Decision decision = decide(GetParam().view, GetParam().rules, kNow);
  EXPECT_EQ(decision.wanted, GetParam().wanted);
  EXPECT_EQ(decision.by, GetParam().by);
}

const Row kRows[] = {
    {"nobody asks and nobody is there: stay",
     {},
     {.instances_max = 4, .in_flight_soft = 10},
     0,
     Reason::kNone},
    {"a SYN waits and nobody is there: one",
     {.waiting_syns = 1},
     {.instances_max = 4, .in_flight_soft = 10},
     1,
     Reason::kOnDemand},
    {"a SYN waits and one boots: stay",
     {.size = 1, .booting = 1, .waiting_syns = 1},
     {.instances_max = 4, .in_flight_soft = 10},
     1,
     Reason::kNone},
    {"below the soft limit: stay",
     {.size = 1, .in_flight = 9},
     {.instances_max = 4, .in_flight_soft = 10},
     1,
     Reason::kNone},
    {"at the soft limit: one more",
     {.size = 1, .in_flight = 10},
     {.instances_max = 4, .in_flight_soft = 10},
     2,
     Reason::kOnDemand},
    {"waiting SYNs count like flows",
     {.size = 1, .in_flight = 5, .waiting_syns = 5},
     {.instances_max = 4, .in_flight_soft = 10},
     2,
     Reason::kOnDemand},
    {"far above: all in one jump",
     {.size = 1, .in_flight = 35},
     {.instances_max = 9, .in_flight_soft = 10},
     4,
     Reason::kOnDemand},
    {"more than max: max",
     {.size = 1, .in_flight = 1000},
     {.instances_max = 4, .in_flight_soft = 10},
     4,
     Reason::kOnDemand},
    {"at max: stay",
     {.size = 4, .in_flight = 1000},
     {.instances_max = 4, .in_flight_soft = 10},
     4,
     Reason::kOnDemand},
    {"a soft limit of one: one more than flows",
     {.size = 2, .in_flight = 2},
     {.instances_max = 4, .in_flight_soft = 1},
     3,
     Reason::kOnDemand},
    {"the quiet one goes",
     {.size = 1, .quiet = 1},
     {.instances_max = 4, .in_flight_soft = 10},
     0,
     Reason::kIdle},
    {"quiet, but a SYN waits: stay",
     {.size = 1, .quiet = 1, .waiting_syns = 1},
     {.instances_max = 4, .in_flight_soft = 10},
     1,
     Reason::kIdle},
    {"the quiet ones of several go",
     {.size = 3, .quiet = 2, .in_flight = 3},
     {.instances_max = 4, .in_flight_soft = 10},
     1,
     Reason::kIdle},
    {"never so far that they were wanted back",
     {.size = 3, .quiet = 2, .in_flight = 15},
     {.instances_max = 4, .in_flight_soft = 10},
     2,
     Reason::kIdle},
    {"just enough: stay",
     {.size = 2, .quiet = 1, .in_flight = 10},
     {.instances_max = 4, .in_flight_soft = 10},
     2,
     Reason::kIdle},
    {"quiet, but no less than min",
     {.size = 3, .quiet = 3},
     {.instances_min = 2, .instances_max = 4, .in_flight_soft = 10},
     2,
     Reason::kIdle},
    {"below min: min",
     {.size = 0},
     {.instances_min = 2, .instances_max = 4, .in_flight_soft = 10},
     2,
     Reason::kBounds},
    {"at min and quiet: stay",
     {.size = 2, .quiet = 2},
     {.instances_min = 2, .instances_max = 4, .in_flight_soft = 10},
     2,
     Reason::kIdle},
    {"demand above min wins over min",
     {.size = 0, .waiting_syns = 25},
     {.instances_min = 2, .instances_max = 4, .in_flight_soft = 10},
     3,
     Reason::kOnDemand},
};
INSTANTIATE_TEST_SUITE_P(A, Decide, ::testing::ValuesIn(kRows), kSentenceAsName);

TEST(Policies, on_demand_never_wants_fewer_and_idle_never_more) {
  for (uint32_t size = 0; size <= 6; ++size) {
    for (uint32_t quiet = 0; quiet <= size; ++quiet) {
      for (uint32_t demand = 0; demand <= 30; ++demand) {
        const ServiceView view{.size = size, .quiet = quiet, .in_flight = demand};
        const auto wanted = [&view](PolicyKind kind) {
          return ops_of(kind).wish({.kind = kind}, view, {.in_flight_soft = 4}).wanted;
        };
        EXPECT_GE(wanted(PolicyKind::kOnDemand), size);
        EXPECT_LE(wanted(PolicyKind::kIdle), size);
        EXPECT_GE(wanted(PolicyKind::kIdle), size - quiet);
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
                ServiceView view{
                    .size = start, .quiet = quiet, .in_flight = demand - waiting, .waiting_syns = waiting};
                const ServiceConfig rules{.instances_min = min, .instances_max = max, .in_flight_soft = soft};
                const uint32_t next = decide(view, rules, kNow).wanted;
                ASSERT_TRUE(next >= min && next <= max);
                view.size = next;
                for (view.quiet = 0; view.quiet <= next; ++view.quiet) {
                  const uint32_t then = decide(view, rules, kNow).wanted;
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
