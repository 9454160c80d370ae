// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// step and target by themselves, and several policies together.
#include <gtest/gtest.h>

#include <ostream>

#include "controlplane/policy/policy.h"
#include "tests/controlplane/policy_printing.h"
#include "tests/support/sentence.h"

namespace cheshire {
namespace test {
namespace {

constexpr uint64_t kNow = 100 * kNsPerSecond;

PolicyConfig steps(Adjustment adjustment, std::vector<StepRange> ranges, Metric metric = Metric::kCpu) {
  return {.name = "steps",
          .kind = PolicyKind::kStep,
          .metric = metric,
          .adjustment = adjustment,
          .steps = std::move(ranges)};
}
PolicyConfig target(Metric metric, int64_t per_instance) {
  return {.name = "target", .kind = PolicyKind::kTarget, .metric = metric, .target = per_instance};
}
const PolicyConfig kOut = steps(Adjustment::kPercent, {{600, 800, 50}, {800, {}, 100}});
const PolicyConfig kIn = steps(Adjustment::kPercent, {{{}, 500, -50}});

ServiceView at_cpu(uint32_t size, int64_t mean) {
  ServiceView view{.size = size};
  view.set(Metric::kCpu, {.value = mean, .total = mean * size});
  return view;
}
ServiceView at(Metric metric, uint32_t size, int64_t total) {
  ServiceView view{.size = size};
  view.set(metric, {.value = size == 0 ? 0 : total / size, .total = total});
  return view;
}
ServiceView but(ServiceView view, auto&& change) {
  change(view);
  return view;
}

struct Row {
  const char* sentence;
  std::vector<PolicyConfig> policies;
  ServiceView view;
  uint32_t wanted;
  Reason by;
  Brake brake = Brake::kNone;
  uint8_t step = kNoStep;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.sentence;
}

class Metrics : public ::testing::TestWithParam<Row> {};

TEST_P(Metrics, decide) {
  ServiceConfig rules{.instances_max = 32, .in_flight_soft = 10, .policies = GetParam().policies};
  rules.warmup_ns = rules.cooldown_ns = kNsPerSecond;
  const Decision decision = decide(GetParam().view, rules, kNow);
  EXPECT_EQ(decision.wanted, GetParam().wanted);
  EXPECT_EQ(decision.by, GetParam().by);
  EXPECT_EQ(decision.brake, GetParam().brake);
  EXPECT_EQ(decision.step, GetParam().step);
}

const Row kRows[] = {
    {"below the first bound nothing happens", {kOut}, at_cpu(4, 599), 4, Reason::kNone},
    {"the lower bound is inside", {kOut}, at_cpu(4, 600), 6, Reason::kStep, Brake::kNone, 0},
    {"the upper bound is outside", {kOut}, at_cpu(4, 799), 6, Reason::kStep, Brake::kNone, 0},
    {"the second step begins where the first ends",
     {kOut},
     at_cpu(4, 800),
     8,
     Reason::kStep,
     Brake::kNone,
     1},
    {"an open upper end has no end", {kOut}, at_cpu(4, 100000), 8, Reason::kStep, Brake::kNone, 1},
    {"half of one is one", {kOut}, at_cpu(1, 700), 2, Reason::kStep, Brake::kNone, 0},
    {"half of three is two, away from zero", {kOut}, at_cpu(3, 700), 5, Reason::kStep, Brake::kNone, 0},
    {"down: half of three is two as well", {kIn}, at_cpu(3, 100), 1, Reason::kStep, Brake::kNone, 0},
    {"one percent moves one",
     {steps(Adjustment::kPercent, {{600, {}, 1}})},
     at_cpu(4, 700),
     5,
     Reason::kStep,
     Brake::kNone,
     0},
    {"a change adds",
     {steps(Adjustment::kChange, {{600, {}, 3}})},
     at_cpu(4, 700),
     7,
     Reason::kStep,
     Brake::kNone,
     0},
    {"a change below nothing leaves one",
     {steps(Adjustment::kChange, {{{}, 500, -9}})},
     at_cpu(4, 10),
     1,
     Reason::kStep,
     Brake::kNone,
     0},
    {"exact sets",
     {steps(Adjustment::kExact, {{600, {}, 9}})},
     at_cpu(4, 700),
     9,
     Reason::kStep,
     Brake::kNone,
     0},
    {"exact may be less",
     {steps(Adjustment::kExact, {{{}, 100, 2}})},
     at_cpu(4, 10),
     2,
     Reason::kStep,
     Brake::kNone,
     0},
    {"a step does not take the last", {kIn}, at_cpu(1, 0), 1, Reason::kStep, Brake::kLastInstance, 0},
    {"a metric that is not known says nothing", {kOut, kIn}, {.size = 3}, 3, Reason::kNone},
    {"nobody is there to be measured", {kOut}, at_cpu(0, 900), 0, Reason::kNone},
    {"the first SYN wakes the first instance", {kOut}, {.waiting_syns = 1}, 1, Reason::kWake},

    {"the guard keeps what would be wanted back",
     {kOut, kIn},
     at_cpu(2, 300),
     2,
     Reason::kStep,
     Brake::kGuard,
     0},
    {"the guard lets go as far as it can", {kOut, kIn}, at_cpu(6, 280), 3, Reason::kStep, Brake::kNone, 0},
    {"the guard trims", {kOut, kIn}, at_cpu(8, 299), 4, Reason::kStep, Brake::kNone, 0},
    {"the guard trims a jump",
     {kOut, steps(Adjustment::kExact, {{{}, 500, 1}})},
     at_cpu(8, 200),
     3,
     Reason::kStep,
     Brake::kGuard,
     0},

    {"a step waits for the warmup of the new",
     {kOut},
     but(at_cpu(4, 900), [](auto& v) { v.cold = 1; }),
     4,
     Reason::kStep,
     Brake::kWarmup,
     1},
    {"a step waits for warmup after it grew",
     {kOut},
     but(at_cpu(4, 900), [](auto& v) { v.grew_ns = kNow - kNsPerSecond + 1; }),
     4,
     Reason::kStep,
     Brake::kWarmup,
     1},
    {"and goes on when that has passed",
     {kOut},
     but(at_cpu(4, 900), [](auto& v) { v.grew_ns = kNow - kNsPerSecond; }),
     8,
     Reason::kStep,
     Brake::kNone,
     1},
    {"nothing shrinks while some are cold",
     {kIn},
     but(at_cpu(4, 10), [](auto& v) { v.cold = 1; }),
     4,
     Reason::kStep,
     Brake::kWarmup,
     0},
    {"nor within the cooldown",
     {kIn},
     but(at_cpu(4, 10), [](auto& v) { v.shrank_ns = kNow - 1; }),
     4,
     Reason::kStep,
     Brake::kCooldown,
     0},
    {"one that waits to grow keeps others from shrinking",
     {kOut, target(Metric::kInFlight, 10)},
     but(at_cpu(4, 900),
         [](auto& v) {
           v.cold = 1;
           v.set(Metric::kInFlight, {1, 4});
         }),
     4,
     Reason::kStep,
     Brake::kWarmup,
     1},

    {"a target jumps", {target(Metric::kInFlight, 10)}, at(Metric::kInFlight, 1, 160), 16, Reason::kTarget},
    {"a target rounds up",
     {target(Metric::kInFlight, 10)},
     at(Metric::kInFlight, 1, 161),
     17,
     Reason::kTarget},
    {"a target does not wait for the cold",
     {target(Metric::kInFlight, 10)},
     but(at(Metric::kInFlight, 2, 160), [](auto& v) { v.cold = 1; }),
     16,
     Reason::kTarget},
    {"a target that is met stays",
     {target(Metric::kInFlight, 10)},
     at(Metric::kInFlight, 4, 40),
     4,
     Reason::kNone},
    {"a target needs a little room to shrink",
     {target(Metric::kInFlight, 10)},
     at(Metric::kInFlight, 4, 30),
     4,
     Reason::kNone},
    {"and shrinks with it",
     {target(Metric::kInFlight, 10)},
     at(Metric::kInFlight, 4, 27),
     3,
     Reason::kTarget},
    {"a target wakes the first",
     {target(Metric::kInFlight, 10)},
     at(Metric::kInFlight, 0, 25),
     3,
     Reason::kTarget},
    {"no load leaves one", {target(Metric::kInFlight, 10)}, at(Metric::kInFlight, 4, 0), 1, Reason::kTarget},

    {"the largest wins on the way out",
     {kOut, target(Metric::kInFlight, 10)},
     but(at_cpu(4, 900),
         [](auto& v) {
           v.set(Metric::kInFlight, {30, 120});
         }),
     12,
     Reason::kTarget},
    {"the most careful wins on the way in",
     {steps(Adjustment::kExact, {{{}, 500, 1}}), kIn},
     at_cpu(6, 10),
     3,
     Reason::kStep,
     Brake::kNone,
     0},
    {"who wants out wins over who wants in",
     {kIn, target(Metric::kInFlight, 10)},
     but(at_cpu(4, 10),
         [](auto& v) {
           v.set(Metric::kInFlight, {12, 50});
         }),
     5,
     Reason::kTarget},
    {"max ends it",
     {target(Metric::kInFlight, 10)},
     at(Metric::kInFlight, 4, 4000),
     32,
     Reason::kTarget,
     Brake::kBounds},
};
INSTANTIATE_TEST_SUITE_P(A, Metrics, ::testing::ValuesIn(kRows), kSentenceAsName);

}  // namespace
}  // namespace test
}  // namespace cheshire
