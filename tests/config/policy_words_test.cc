// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The step grammar and the checks over the steps of one policy, as Unikraft Cloud's tool has them.
#include "controlplane/config/policy_words.h"

#include <gtest/gtest.h>

#include "tests/support/sentence.h"

namespace cheshire {
namespace {

struct Good {
  const char* sentence;
  const char* text;
  Metric metric;
  StepRange step;
};
void PrintTo(const Good& good, std::ostream* out) {
  *out << good.sentence;
}
class GoodStep : public ::testing::TestWithParam<Good> {};

TEST_P(GoodStep, is_read) {
  const Result<StepRange> step = parse_step(GetParam().text, GetParam().metric);
  ASSERT_TRUE(step.ok()) << step.error().what;
  EXPECT_EQ(step.value(), GetParam().step);
  // What is printed is read back as the same.
  const Result<StepRange> again = parse_step(format_step(step.value()), GetParam().metric);
  ASSERT_TRUE(again.ok()) << again.error().what;
  EXPECT_EQ(again.value(), step.value());
}

const Good kGood[] = {
    {"both bounds", "600:800/50", Metric::kCpu, {600, 800, 50}},
    {"open above", "800:/100", Metric::kCpu, {800, {}, 100}},
    {"open below", ":50/-50", Metric::kCpu, {{}, 50, -50}},
    {"a plus sign", "0:1/+1", Metric::kInFlight, {0, 1, 1}},
    {"no change", "500:600/0", Metric::kCpu, {500, 600, 0}},
    {"nanoseconds of a delay", "200000:/1", Metric::kQueueDelay, {200'000, {}, 1}},
    {"units of a delay", "200us:1ms/1", Metric::kHandshakeTime, {200'000, 1'000'000, 1}},
};
INSTANTIATE_TEST_SUITE_P(A, GoodStep, ::testing::ValuesIn(kGood), test::kSentenceAsName);

struct Bad {
  const char* sentence;
  const char* text;
  const char* complaint;
};
void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.sentence;
}
class BadStep : public ::testing::TestWithParam<Bad> {};

TEST_P(BadStep, is_refused_with_the_reason) {
  const Result<StepRange> step = parse_step(GetParam().text, Metric::kCpu);
  ASSERT_FALSE(step.ok());
  EXPECT_NE(step.error().what.find(GetParam().complaint), std::string::npos) << step.error().what;
}

const Bad kBad[] = {
    {"empty", "", "has no /"},
    {"no slash", "600:800", "has no /"},
    {"no colon", "600/50", "has no : before the /"},
    {"no bound", ":/50", "has no bound"},
    {"no adjustment", "600:800/", "is no adjustment"},
    {"words for a number", "a:b/1", "is not a whole number"},
    {"a negative bound", "-1:5/1", "is not a whole number"},
    {"a fraction", "0.5:1/1", "is not a whole number"},
    {"a space", "600: 800/50", "is not a whole number"},
    {"a unit for cpu", "600m:800m/50", "is not a whole number"},
    {"lower above upper", "800:600/50", "lower bound is not below"},
    {"lower equals upper", "800:800/50", "lower bound is not below"},
    {"nothing below zero", ":0/1", "nothing lies below 0"},
    {"a bound too large", "1:99999999999999999999/1", "out of range"},
    {"an adjustment too large", "1:2/99999999999", "is no adjustment"},
    {"two signs", "1:2/+-1", "is no adjustment"},
    {"a second slash", "1:2/3/4", "is no adjustment"},
    {"a second colon", "1:2:3/4", "is not a whole number"},
};
INSTANTIATE_TEST_SUITE_P(A, BadStep, ::testing::ValuesIn(kBad), test::kSentenceAsName);

// --- together

std::string ordered(std::initializer_list<const char*> texts) {
  std::vector<StepRange> steps;
  for (const char* text : texts) steps.push_back(parse_step(text, Metric::kCpu).value());
  const Result<std::vector<StepRange>> result = order_steps(std::move(steps));
  if (!result.ok()) return result.error().what;
  std::string words;
  for (const StepRange& step : result.value()) words += (words.empty() ? "" : " ") + format_step(step);
  return words;
}

TEST(Steps, AreSortedByTheirLowerBound) {
  EXPECT_EQ(ordered({"800:/100", "600:800/50"}), "600:800/50 800:/100");
  EXPECT_EQ(ordered({"20:30/2", ":10/-1", "30:/3", "10:20/0"}), ":10/-1 10:20/0 20:30/2 30:/3");
}

TEST(Steps, AreContiguousAndOpenOnlyAtTheEnds) {
  const auto has = [](const std::string& words, const char* part) {
    return words.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(ordered({}), "at least one step"));
  EXPECT_TRUE(has(ordered({":50/-50", "600:800/50"}), "a gap between :50 and 600:800"))
      << ordered({":50/-50", "600:800/50"});
  EXPECT_TRUE(has(ordered({"1:5/1", "4:6/1"}), "1:5 and 4:6 overlap"));
  EXPECT_TRUE(has(ordered({":5/1", ":6/1"}), "two steps are open below"));
  EXPECT_TRUE(has(ordered({"1:/1", "2:/1"}), "1: is open above and 2: follows"));
  EXPECT_TRUE(has(ordered({"1:2/1", "2:3/1", "3:4/1", "4:5/1", "5:6/1"}), "5 steps; a policy has at most 4"));
}

TEST(Steps, AdjustmentsFitTheirKind) {
  const auto fits = [](const char* step, Adjustment adjustment) {
    return check_adjustment(parse_step(step, Metric::kCpu).value(), adjustment).ok();
  };
  EXPECT_TRUE(fits(":1/-100", Adjustment::kPercent));
  EXPECT_FALSE(fits(":1/-101", Adjustment::kPercent));
  EXPECT_TRUE(fits(":1/-5", Adjustment::kChange));
  EXPECT_FALSE(fits(":1/501", Adjustment::kChange));
  EXPECT_TRUE(fits(":1/0", Adjustment::kExact));
  EXPECT_FALSE(fits(":1/-1", Adjustment::kExact));
}

TEST(PolicyWords, AliasesAndNearMisses) {
  EXPECT_EQ(parse_adjustment("percentage").value(), Adjustment::kPercent);
  EXPECT_EQ(parse_adjustment("absolute").value(), Adjustment::kExact);
  EXPECT_EQ(parse_adjustment("exact").value(), Adjustment::kExact);
  EXPECT_FALSE(parse_adjustment("Percent").ok());
  EXPECT_EQ(parse_metric("queue_delay").value(), Metric::kQueueDelay);
  EXPECT_NE(parse_metric("in_fligth").error().what.find("did you mean \"in_flight\"?"), std::string::npos);
  EXPECT_NE(parse_metric("x").error().what.find("cpu, in_flight"), std::string::npos);
}

TEST(PolicyWords, TargetsAreAboveZero) {
  EXPECT_EQ(parse_target("20", Metric::kInFlight).value(), 20);
  EXPECT_EQ(parse_target("2ms", Metric::kQueueDelay).value(), 2'000'000);
  EXPECT_FALSE(parse_target("0", Metric::kInFlight).ok());
  EXPECT_FALSE(parse_target("2ms", Metric::kInFlight).ok());
}

TEST(PolicyWords, PacesAreOnlyForStepAndTarget) {
  const PolicyConfig step{.name = "s", .kind = PolicyKind::kStep};
  const PolicyConfig idle{.name = "i", .kind = PolicyKind::kIdle};
  EXPECT_TRUE(check_policies(std::vector{idle}, {0, 0}).ok());
  EXPECT_TRUE(check_policies(std::vector{idle, step}, {kPolicyPaceMinNs, kPolicyPaceMinNs}).ok());
  EXPECT_FALSE(check_policies(std::vector{idle, step}, {0, kPolicyPaceMinNs}).ok());
  EXPECT_FALSE(check_policies(std::vector{idle, step}, {kPolicyPaceMinNs, kPolicyPaceMinNs - 1}).ok());
  EXPECT_FALSE(check_policies(std::vector{idle, idle}, {0, 0}).ok()) << "two of one name";
}

}  // namespace
}  // namespace cheshire
