// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Boots that fail, VMs that die, and what follows.
#include "tests/controlplane/control_loop_begin.h"

namespace cheshire::test {
namespace {

// --- failures ---

TEST(ControlLoopFailure, a_vm_that_never_comes_up_fails_at_the_boot_deadline) {
  ControlStage stage(one_service(only_one()));
  stage.driver().script_boot(0, {.guest_up_after_ns = std::nullopt});
  stage.syns_wait(1);
  stage.advance(2 * kNsPerSecond - kNsPerMs);
  EXPECT_EQ(stage.states(), "booting");
  stage.advance(2 * kNsPerMs);
  EXPECT_EQ(stage.driver().stops().size(), 1U);
  EXPECT_EQ(stage.status()->services[0].boots_failed, 1U);
  stage.advance(20 * kNsPerMs);
  EXPECT_EQ(stage.instance(0).id.generation, Generation{2}) << "the SYN still waits";
}

TEST(ControlLoopFailure, a_vm_that_does_not_even_start_its_process_fails_at_the_boot_deadline) {
  ControlStage stage(one_service(only_one()));
  stage.driver().script_boot(0, {.spawns = false});
  stage.syns_wait(1);
  stage.advance(2 * kNsPerSecond + kNsPerMs);
  EXPECT_EQ(stage.driver().stops().size(), 1U);
}

TEST(ControlLoopFailure, a_guest_that_does_not_answer_fails_a_boot_deadline_after_its_order) {
  ControlStage stage(one_service(only_one()));
  stage.syns_wait(1);
  stage.advance(kNsPerSecond);
  stage.gets_a_syn(0);
  stage.syns_wait(0);
  stage.advance(kNsPerSecond - kNsPerMs);
  EXPECT_EQ(stage.states(), "booting");
  stage.advance(3 * kNsPerMs);
  EXPECT_EQ(stage.driver().stops().size(), 1U);
}

TEST(ControlLoopFailure, one_that_nobody_asked_in_that_time_has_a_deadline_from_the_first_who_does) {
  ServiceConfig kept = only_one();
  kept.instances_min = 1;
  ControlStage stage(one_service(kept));
  stage.advance(3 * kNsPerSecond);
  EXPECT_EQ(stage.states(), "booting");
  stage.gets_a_syn(0);
  stage.advance(2 * kNsPerSecond - kNsPerMs);
  EXPECT_EQ(stage.states(), "booting");
  stage.advance(3 * kNsPerMs);
  EXPECT_EQ(stage.driver().stops().size(), 1U);
}

TEST(ControlLoopFailure, boots_that_fail_are_tried_again_ever_later_and_then_refused) {
  ControlStage stage(one_service(only_one()));
  stage.driver().script_default({.start_failure = "no such file"});
  stage.syns_wait(1);
  stage.advance(300 * kNsPerMs);
  const auto& boots = stage.driver().boots();
  ASSERT_EQ(boots.size(), 5U);
  const std::array<uint64_t, 4> delays_ms = {10, 20, 40, 80};
  for (size_t i = 0; i < delays_ms.size(); ++i) {
    const uint64_t delay_ns =
        boots[i + 1].time_ns - boots[i].time_ns - kNsPerMs;  // the fake says so after 1 ms
    EXPECT_GE(delay_ns, delays_ms[i] * kNsPerMs) << "try " << i;
    EXPECT_LE(delay_ns, delays_ms[i] * kNsPerMs + 3 * ControlStage::kTickNs) << "try " << i;
  }
  EXPECT_TRUE(stage.table().service({0}).refuse);
  EXPECT_TRUE(stage.status()->services[0].refusing);
  EXPECT_EQ(stage.status()->services[0].boots_failed, 5U);

  stage.advance(4500 * kNsPerMs);
  EXPECT_EQ(boots.size(), 5U) << "no try while it refuses";
  stage.advance(500 * kNsPerMs);
  EXPECT_EQ(boots.size(), 6U) << "one try";
  EXPECT_TRUE(stage.table().service({0}).refuse) << "which fails, too";

  stage.driver().script_default({});
  stage.advance(5 * kNsPerSecond - 200 * kNsPerMs);
  while (boots.size() == 6U) stage.advance(ControlStage::kTickNs);
  EXPECT_FALSE(stage.table().service({0}).refuse) << "half open: a SYN may wait for the try";
  stage.advance(kBootNs);
  stage.answers(0);
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "active");
  EXPECT_FALSE(stage.status()->services[0].refusing);
}

TEST(ControlLoopFailure, a_success_forgets_the_failures) {
  ControlStage stage(one_service(only_one()));
  stage.driver().script_boot(0, {.start_failure = "x"});
  stage.driver().script_boot(1, {.start_failure = "x"});
  stage.syns_wait(1);
  stage.advance(100 * kNsPerMs);
  stage.answers(0);
  stage.advance(2 * kNsPerSecond);
  EXPECT_EQ(stage.status()->services[0].boots_failed, 2U);
  stage.driver().crash(stage.instance(0).id);
  stage.port_dies(0);
  stage.syns_wait(1);
  stage.advance(2 * kNsPerMs);
  EXPECT_EQ(stage.states(), "booting") << "it was no young instance: at once";
}

TEST(ControlLoopFailure, a_vm_that_exits_by_itself_is_replaced_on_demand) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.advance(50 * kNsPerMs);
  stage.driver().crash(stage.instance(0).id);
  stage.port_dies(0);
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent") << "nobody asks";
  EXPECT_TRUE(stage.driver().stops().empty()) << "what is gone is not stopped";
  stage.syns_wait(1);
  stage.advance(20 * kNsPerMs);
  EXPECT_EQ(stage.states(), "booting absent absent");
  EXPECT_EQ(stage.instance(0).id.generation, Generation{2});
}

TEST(ControlLoopFailure, a_port_that_dies_ends_the_process_too) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.port_dies(0);
  stage.advance(kNsPerMs / 2);
  EXPECT_EQ(stage.states(), "stopping absent absent");
  EXPECT_EQ(stage.driver().stops().size(), 1U);
  stage.advance(3 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent");
}

TEST(ControlLoopFailure, a_port_that_dies_while_it_boots_fails_the_boot) {
  ControlStage stage(one_service(three()));
  stage.syns_wait(1);
  stage.advance(kBootNs);
  stage.port_dies(0);
  stage.tick();
  EXPECT_NE(stage.instance(0).state, InstanceState::kBooting);
  EXPECT_EQ(stage.status()->services[0].boots_failed, 1U);
}

TEST(ControlLoopFailure, a_port_that_dies_while_it_drains_ends_the_draining) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.advance(100 * kNsPerMs);
  ASSERT_EQ(stage.states(), "draining absent absent");
  stage.port_dies(0);
  stage.advance(kNsPerMs / 2);
  EXPECT_EQ(stage.states(), "stopping absent absent");
}

TEST(ControlLoopFailure, an_instance_that_dies_young_counts_as_a_boot_that_failed) {
  ControlStage stage(one_service(only_one()));
  has_served(stage);
  stage.driver().crash(stage.instance(0).id);
  stage.port_dies(0);
  stage.syns_wait(1);
  stage.advance(5 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent") << "back-off";
  stage.advance(10 * kNsPerMs);
  EXPECT_EQ(stage.states(), "booting");
}

TEST(ControlLoopFailure, the_death_of_one_does_not_touch_the_others) {
  ControlStage stage(one_service(three()));
  stage.syns_wait(9);
  stage.advance(kBootNs);
  stage.answers(0);
  stage.answers(1);
  stage.answers(2);
  stage.has_flows(1, 2);
  stage.has_flows(0, 2);
  stage.advance(kNsPerMs);
  stage.driver().crash(stage.instance(1).id);
  stage.port_dies(1);
  stage.advance(3 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active absent active");
}

TEST(ControlLoopFailure, stale_levels_of_the_predecessor_are_not_taken_for_the_successors) {
  ControlStage stage(one_service(only_one()));
  has_served(stage);
  stage.port_dies(0);
  stage.syns_wait(1);
  stage.advance(30 * kNsPerMs);
  ASSERT_EQ(stage.instance(0).id.generation, Generation{2});
  EXPECT_EQ(stage.load(0).ready_generation.get(), 1U);
  EXPECT_EQ(stage.load(0).dead_generation.get(), 1U);
  EXPECT_EQ(stage.states(), "booting");
}

}  // namespace
}  // namespace cheshire::test
