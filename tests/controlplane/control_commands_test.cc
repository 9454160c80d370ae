// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What an operator may ask of a running daemon, and what follows from it: scale, drain.
#include <gtest/gtest.h>

#include "tests/controlplane/operator.h"

namespace cheshire::test {
namespace {

TEST(ScaleCommand, more_than_at_start_with_slots_from_the_pool) {
  ControlStage stage(with_spare(one_service(only_one()), 2));
  EXPECT_EQ(told(stage, scale_init({}, 3)), "web: min 0, max 3, warmup 10ms, cooldown 10ms, policies 2");
  stage.syns_wait(9);  // three at a soft limit of four
  stage.tick();
  EXPECT_EQ(stage.states(), "booting booting booting");
  EXPECT_EQ(stage.driver().boots()[2].order.name, "web/2/1");
}

TEST(ScaleCommand, more_than_there_are_slots_is_refused_and_changes_nothing) {
  ControlStage stage(with_spare(one_service(only_one()), 2));
  EXPECT_NE(refusal(stage, scale_init({}, 4)).find("write at most 3, or raise spare.slots"),
            std::string::npos);
  EXPECT_EQ(stage.control().config().services[0].instances_max, 1U);
}

TEST(ScaleCommand, a_larger_least_size_boots) {
  ControlStage stage(one_service(three()));
  stage.tick();
  EXPECT_EQ(stage.states(), "absent absent absent");
  static_cast<void>(told(stage, scale_init(2, {})));
  stage.tick();
  EXPECT_EQ(stage.states(), "booting booting absent");
}

TEST(ScaleCommand, a_smaller_size_drains_the_emptiest_with_its_flows_and_gives_the_slot_back) {
  ControlStage stage(with_spare(one_service(three()), 0));
  start_three(stage);
  stage.has_flows(0, 3);
  stage.has_flows(1, 1);
  stage.has_flows(2, 2);
  stage.tick();
  static_cast<void>(told(stage, scale_init({}, 2)));
  stage.tick();
  EXPECT_EQ(stage.states(), "active draining active") << "slot 1 has the fewest";
  stage.advance(100 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active draining active") << "its flow lives";
  stage.has_flows(1, 0);
  stage.advance(20 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active absent active");
  // What was given back can be had again.
  static_cast<void>(told(stage, scale_init({}, 3)));
  stage.syns_wait(12);
  stage.tick();
  EXPECT_EQ(stage.states(), "active booting active");
}

TEST(ScaleCommand, no_name_is_used_twice_when_slots_change_hands) {
  ControlStage stage(with_spare(one_service(three()), 0));
  start_three(stage);
  for (uint16_t slot = 0; slot < 3; ++slot) stage.has_flows(slot, 0);
  static_cast<void>(told(stage, scale_init({}, 1)));
  stage.advance(30 * kNsPerMs);
  static_cast<void>(told(stage, scale_init({}, 3)));
  stage.syns_wait(12);
  stage.advance(kBootNs);
  std::set<std::string> names;
  for (const FakeDriver::Boot& boot : stage.driver().boots()) {
    EXPECT_TRUE(names.insert(boot.order.name).second) << boot.order.name;
  }
  EXPECT_EQ(names.size(), 5U);
}

TEST(ScaleCommand, policies_come_go_and_are_reset) {
  ControlStage stage(one_service(three()));
  const auto policies = [&] {
    std::string names;
    for (const PolicyConfig& policy : stage.control().config().services[0].policies)
      names += policy.name + " ";
    return names;
  };
  const std::string at_first = policies();
  ControlCommand add{.kind = CommandKind::kScaleAdd, .service = "web"};
  add.policy = {.name = "jump", .kind = PolicyKind::kTarget, .metric = Metric::kInFlight, .target = 2};
  static_cast<void>(told(stage, add));
  EXPECT_EQ(policies(), at_first + "jump ");
  EXPECT_NE(refusal(stage, add).find("has a policy \"jump\" already"), std::string::npos);
  ControlCommand remove{.kind = CommandKind::kScaleRemove, .service = "web", .policy_name = "jmp"};
  EXPECT_NE(refusal(stage, remove).find("did you mean \"jump\"?"), std::string::npos);
  remove.policy_name = "jump";
  static_cast<void>(told(stage, remove));
  EXPECT_EQ(policies(), at_first);
  static_cast<void>(told(stage, add));
  static_cast<void>(told(stage, scale_init(1, 2)));
  static_cast<void>(told(stage, {.kind = CommandKind::kScaleReset, .service = "web"}));
  EXPECT_EQ(policies(), at_first);
  EXPECT_EQ(stage.control().config().services[0].instances_min, 0U);
  EXPECT_EQ(stage.control().config().services[0].instances_max, 3U);
}

TEST(ScaleCommand, bad_ones_change_nothing) {
  ControlStage stage(one_service(three()));
  const Config* const before = &stage.control().config();
  ControlCommand slow = scale_init({}, {});
  slow.cooldown_ns = 1;
  slow.kind = CommandKind::kScaleInit;
  ControlCommand step{.kind = CommandKind::kScaleAdd, .service = "web"};
  step.policy = {.name = "s", .kind = PolicyKind::kStep, .steps = {{1, {}, 1}}};
  struct Case {
    ControlCommand command;
    const char* complaint;
  };
  for (const Case& each :
       {Case{scale_init(3, 2), "min-size 3 is above max-size 2"},
        Case{scale_init(4, {}), "min-size 4 is above max-size 3"}, Case{scale_init({}, 0), "max-size is 0"},
        Case{{.kind = CommandKind::kScaleGet, .service = "wbe"}, "did you mean \"web\"?"},
        Case{{.kind = CommandKind::kScaleGet, .service = "web", .policy_name = "x"}, "has no policy \"x\""},
        Case{{.kind = CommandKind::kDrain, .instance = "web/0/1"}, "there is no instance"}}) {
    EXPECT_NE(refusal(stage, each.command).find(each.complaint), std::string::npos) << each.complaint;
  }
  EXPECT_EQ(&stage.control().config(), before);
  static_cast<void>(told(stage, slow));  // nothing has a pace so far
  EXPECT_NE(refusal(stage, step).find("cooldown is 1ns"), std::string::npos);
}

// --- drain

ControlCommand drain(const std::string& instance) {
  return {.kind = CommandKind::kDrain, .instance = instance};
}

TEST(DrainCommand, keeps_the_old_flows_takes_no_new_ones_and_is_not_called_back) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.has_flows(0, 2);
  static_cast<void>(told(stage, drain("web/0/1")));
  stage.tick();
  EXPECT_EQ(stage.listed(0).role, SlotRole::kDraining);
  stage.syns_wait(1);
  stage.advance(kBootNs);
  EXPECT_EQ(stage.states(), "draining booting absent") << "another one for the new client";
  stage.answers(1);
  stage.has_flows(0, 0);
  stage.advance(20 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent active absent");
}

TEST(DrainCommand, what_is_left_at_the_deadline_is_reset) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.has_flows(0, 2);
  static_cast<void>(told(stage, drain("web/0/1")));
  stage.advance(900 * kNsPerMs);
  EXPECT_EQ(stage.states(), "draining absent absent");
  stage.advance(150 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent");
}

TEST(DrainCommand, an_instance_that_is_kept_ready_goes_at_once) {
  ServiceConfig service = three();
  service.shells = 1;
  ControlStage stage(one_service(service));
  stage.advance(100 * kNsPerMs);
  ASSERT_EQ(stage.states(), "shell absent absent");
  static_cast<void>(told(stage, drain("web/0/1")));
  stage.tick();
  EXPECT_EQ(stage.states().substr(0, 7), "leaving");
  EXPECT_NE(refusal(stage, drain("web/0/1")).find("already"), std::string::npos);
}

// Rather a draining instance than nowhere.
TEST(DrainCommand, the_last_one_without_room_for_another_goes_on_taking_new_flows) {
  ControlStage stage(one_service(only_one()));
  has_served(stage);
  stage.has_flows(0, 1);
  static_cast<void>(told(stage, drain("web/0/1")));
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "draining");
  EXPECT_EQ(stage.listed(0).role, SlotRole::kAccepting);
  // Empty: its slot is free as soon as it is gone, so new clients wait for the next one.
  stage.has_flows(0, 0);
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.listed(0).role, SlotRole::kDraining);
  stage.syns_wait(1);
  stage.advance(30 * kNsPerMs);
  EXPECT_EQ(stage.states(), "booting");
  EXPECT_EQ(stage.instance(0).id.generation.value, 2U);
}

TEST(DrainCommand, is_refused_while_the_daemon_ends) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.control().begin_shutdown();
  EXPECT_EQ(refusal(stage, drain("web/0/1")), "the daemon is ending");
}

}  // namespace
}  // namespace cheshire::test
