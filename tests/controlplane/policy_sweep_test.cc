// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The sweep: 158 constant loads, from 0.05 to 7.9 full instances, over the example policy of Unikraft Cloud's
// documentation with at most 8 instances. It swings forever at a third of them; with the projection guard at
// none.
#include <gtest/gtest.h>

#include <iostream>

#include "controlplane/policy/policy_lint.h"

namespace cheshire::test {
namespace {

PolicyConfig percent_steps(std::vector<StepRange> ranges) {
  return {.name = "steps",
          .kind = PolicyKind::kStep,
          .adjustment = Adjustment::kPercent,
          .steps = std::move(ranges)};
}

ServiceConfig example_of_unikraft_cloud() {
  return {.instances_min = 1,
          .instances_max = 8,
          .policies = {percent_steps({{600, 800, 50}, {800, {}, 100}}), percent_steps({{{}, 500, -50}})}};
}

TEST(Sweep, without_the_guard_the_lint_names_the_swings) {
  const ServiceConfig service = example_of_unikraft_cloud();
  const auto swings = lint_policies(service, Guard::kOff);
  std::cout << describe_oscillations(service, swings) << '\n';
  EXPECT_EQ(swings.size(), 50U);
  ASSERT_FALSE(swings.empty());
  EXPECT_EQ(swings[0].metric, Metric::kCpu);
  EXPECT_EQ(swings[0].load_percent, 60U);
  EXPECT_EQ(swings[0].sizes, (std::vector<uint32_t>{1, 2}));
  EXPECT_NE(
      describe_oscillations(service, swings).find("at 50 of 158 constant loads, the first that of 0.60"),
      std::string::npos);
}

TEST(Sweep, with_the_guard_none_of_158_loads_swings) {
  const ServiceConfig service = example_of_unikraft_cloud();
  const auto swings = lint_policies(service, Guard::kOn);
  EXPECT_TRUE(swings.empty()) << describe_oscillations(service, swings);
}

TEST(Sweep, with_the_guard_no_set_of_steps_swings) {
  int tried = 0;
  for (const int32_t up : {1, 20, 50, 100, 300}) {
    for (const int32_t down : {-1, -30, -50, -90, -100}) {
      for (int64_t low = 100; low <= 900; low += 100) {
        for (int64_t high = low; high <= 1000; high += 100) {
          for (const Adjustment adjustment : {Adjustment::kPercent, Adjustment::kChange}) {
            ServiceConfig service{.instances_min = 1, .instances_max = 6};
            service.policies = {percent_steps({{high, {}, up}}), percent_steps({{{}, low, down}})};
            for (PolicyConfig& policy : service.policies) policy.adjustment = adjustment;
            const auto swings = lint_policies(service, Guard::kOn);
            ASSERT_TRUE(swings.empty()) << ':' << low << '/' << down << ' ' << high << ":/" << up << ' '
                                        << describe_oscillations(service, swings);
            ++tried;
          }
        }
      }
    }
  }
  EXPECT_GT(tried, 2000);
}

TEST(Sweep, targets_come_to_rest_even_without_the_guard) {
  for (const int64_t target : {1, 7, 600}) {
    for (const Metric metric : {Metric::kCpu, Metric::kInFlight, Metric::kBitRate}) {
      ServiceConfig service{.instances_max = 8};
      service.policies = {{.name = "t", .kind = PolicyKind::kTarget, .metric = metric, .target = target}};
      EXPECT_TRUE(lint_policies(service, Guard::kOff).empty()) << target;
    }
  }
}

TEST(Sweep, services_without_rules_of_their_own_come_to_rest) {
  EXPECT_TRUE(lint_policies({.instances_max = 8}, Guard::kOff).empty());
  EXPECT_TRUE(lint_policies({.instances_max = 1, .in_flight_soft = 1}, Guard::kOff).empty());
}

}  // namespace
}  // namespace cheshire::test
