// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Every state with every cause: what follows, or that it cannot happen. The list below is read as sentences;
// what it leaves out must be refused.
#include "controlplane/fleet/instance_life.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/sentence.h"

namespace cheshire::test {
namespace {

constexpr const char* kLives[] = {
    "absent, boot ordered: booting",
    "absent, warming ordered: warming",
    "absent, shell ordered: preparing",
    "preparing, shell made: shell",
    "preparing, dismissed: leaving",
    "preparing, failed: leaving",
    "preparing, shut down: leaving",
    "shell, shell started: booting",
    "shell, warming ordered: warming",
    "shell, dismissed: leaving",
    "shell, failed: leaving",
    "shell, shut down: leaving",
    "warming, answered: pausing",
    "warming, dismissed: leaving",
    "warming, failed: leaving",
    "warming, shut down: leaving",
    "booting, answered: active",
    "booting, drain ordered: draining",
    "booting, failed: leaving",
    "booting, shut down: leaving",
    "active, went quiet: pausing",
    "active, drain ordered: draining",
    "active, failed: leaving",
    "active, shut down: leaving",
    "draining, called back: active",
    "draining, called back before it was ready: booting",
    "draining, kept on standby: pausing",
    "draining, drained: leaving",
    "draining, drain deadline passed: leaving",
    "draining, failed: leaving",
    "draining, shut down: leaving",
    "pausing, paused: standby",
    "pausing, pause called off: booting",
    "pausing, failed: leaving",
    "pausing, shut down: leaving",
    "standby, resumed: booting",
    "standby, dismissed: leaving",
    "standby, failed: leaving",
    "standby, shut down: leaving",
    "leaving, forgotten by every worker: stopping",
    "stopping, gone: absent",
};

struct Pair {
  std::string sentence;
  InstanceState state;
  LifeCause cause;
};
void PrintTo(const Pair& pair, std::ostream* out) {
  *out << pair.sentence;
}

std::vector<Pair> every_pair() {
  std::vector<Pair> pairs;
  for (uint8_t state = 0; state < kInstanceStates; ++state) {
    for (uint8_t cause = 0; cause < kLifeCauses; ++cause) {
      const auto from = static_cast<InstanceState>(state);
      const auto why = static_cast<LifeCause>(cause);
      pairs.push_back({std::string(to_string(from)) + ", " + to_string(why), from, why});
    }
  }
  return pairs;
}

std::string what_follows(const Pair& pair) {
  const auto next = next_state(pair.state, pair.cause);
  return pair.sentence + ": " + (next ? to_string(*next) : "cannot happen");
}

class InstanceLife : public ::testing::TestWithParam<Pair> {};

TEST_P(InstanceLife, goes_on_as_the_table_says) {
  const Pair& pair = GetParam();
  const std::string sentence = what_follows(pair);
  const std::set<std::string> lives(std::begin(kLives), std::end(kLives));
  const bool happens = next_state(pair.state, pair.cause).has_value();
  EXPECT_EQ(lives.contains(sentence), happens) << sentence;
}
INSTANTIATE_TEST_SUITE_P(Every, InstanceLife, ::testing::ValuesIn(every_pair()), kSentenceAsName);

TEST(InstanceLifeTable, each_sentence_is_about_a_state_and_a_cause_that_exist) {
  std::set<std::string> known;
  for (const Pair& pair : every_pair()) known.insert(what_follows(pair));
  for (const char* const life : kLives) EXPECT_TRUE(known.contains(life)) << life;
}

Instance begun(LifeCause cause) {
  Instance instance;
  instance.id.generation = Generation{4};
  begin_generation(instance, cause, {.revision = 7}, 10);
  return instance;
}

TEST(InstanceLifeTable, a_new_generation_forgets_the_one_before_it) {
  Instance instance = begun(LifeCause::kBootOrdered);
  change_state(instance, LifeCause::kAnswered, 20);
  change_state(instance, LifeCause::kFailed, 30);
  change_state(instance, LifeCause::kForgotten, 40);
  change_state(instance, LifeCause::kGone, 50);
  begin_generation(instance, LifeCause::kBootOrdered, {}, 60);
  EXPECT_EQ(instance.id.generation, Generation{6});
  EXPECT_FALSE(instance.failed);
  EXPECT_FALSE(instance.was_ready());
}

TEST(InstanceLifeTable, what_begins_in_a_state_is_set_with_it) {
  Instance instance = begun(LifeCause::kBootOrdered);
  EXPECT_EQ(instance.revision, 7U);
  EXPECT_FALSE(instance.was_ready());
  change_state(instance, LifeCause::kAnswered, 20);
  EXPECT_EQ(instance.ready_ns, 20U);
  change_state(instance, LifeCause::kDrainOrdered, 30);
  EXPECT_EQ(instance.drain_began_ns, 30U);
  instance.packets = 9;
  change_state(instance, LifeCause::kKept, 40);
  EXPECT_EQ(instance.pause_packets, 9U);
  EXPECT_EQ(instance.pause_ordered_ns, 0U);
  change_state(instance, LifeCause::kPaused, 50);
  change_state(instance, LifeCause::kResumed, 60);
  EXPECT_EQ(instance.tier, StartTier::kStandby);
}

TEST(InstanceLifeDeathTest, what_is_not_in_the_table_ends_the_process) {
  Instance instance = begun(LifeCause::kShellOrdered);
  EXPECT_DEATH(change_state(instance, LifeCause::kDrainOrdered, 20), "");
  EXPECT_DEATH(begin_generation(instance, LifeCause::kBootOrdered, {}, 20), "");
}

}  // namespace
}  // namespace cheshire::test
