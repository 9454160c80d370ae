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

TEST(ControlLoopFailure, a_guest_that_dies_after_each_answer_is_not_tried_again_for_ever) {
  ControlStage stage(one_service(only_one()));
  uint32_t boots = 0;
  stage.syns_wait(1);
  for (uint64_t ms = 0; ms < 4000; ++ms) {
    stage.advance(kNsPerMs);
    if (stage.instance(0).state != InstanceState::kBooting || !stage.is_attached(0)) continue;
    ++boots;
    stage.answers(0);
    stage.advance(kNsPerMs);
    stage.driver().crash(stage.instance(0).id);
    stage.port_dies(0);
    stage.syns_wait(1);
  }
  EXPECT_EQ(boots, 5U) << "then it is refused for a while";
  EXPECT_TRUE(stage.table().service({0}).refuse);
}

TEST(ControlLoopFailure, only_one_that_lives_for_a_second_forgets_the_failures) {
  ControlStage stage(one_service(only_one()));
  for (int i = 0; i < 3; ++i) stage.driver().script_boot(static_cast<size_t>(i), {.start_failure = "x"});
  stage.syns_wait(1);
  stage.advance(200 * kNsPerMs);
  stage.answers(0);
  stage.has_flows(0, 1);
  stage.advance(BootBackoff::kProvenAfterNs + kNsPerMs);
  EXPECT_TRUE(stage.instance(0).proven);
}

// --- silence ---

TEST(ControlLoopFailure, an_instance_that_stopped_answering_is_replaced) {
  ControlStage stage(one_service(only_one()));
  stage.syns_wait(1);
  stage.advance(50 * kNsPerMs);
  stage.answers(0);
  stage.advance(2 * kNsPerSecond);
  const Generation first = stage.instance(0).id.generation;
  stage.has_flows(0, 5);
  stage.load(0).silent_since_ns.set(stage.now_ns());
  stage.advance(5 * kNsPerSecond - kNsPerMs);
  EXPECT_EQ(stage.states(), "active") << "slow is not dead";
  stage.syns_wait(1);
  stage.advance(2 * kNsPerMs);
  EXPECT_EQ(stage.driver().stops().size(), 1U);
  stage.load(0).silent_since_ns.set(0);
  stage.advance(50 * kNsPerMs);
  EXPECT_EQ(stage.instance(0).id.generation, Generation{first.value + 1}) << "somebody waits";
  EXPECT_EQ(stage.status()->services[0].silent, 1U);
}

TEST(ControlLoopFailure, a_silent_one_that_drains_goes_at_once) {
  ServiceConfig config = only_one();
  config.drain_deadline_ns = 60 * kNsPerSecond;
  config.idle_after_ns = 100 * kNsPerMs;
  ControlStage stage(one_service(config));
  stage.syns_wait(1);
  stage.advance(50 * kNsPerMs);
  stage.answers(0);
  stage.has_flows(0, 0);
  stage.stop_worker();  // a table that not everybody has passed keeps it draining
  stage.advance(300 * kNsPerMs);
  ASSERT_EQ(stage.states(), "draining");
  stage.load(0).silent_since_ns.set(stage.now_ns());
  stage.advance(5 * kNsPerSecond + kNsPerMs);
  EXPECT_EQ(stage.states(), "leaving");
}

TEST(ControlLoopFailure, without_a_bound_nobody_is_too_silent) {
  ServiceConfig config = only_one();
  config.health.silent_after_ns = 0;
  ControlStage stage(one_service(config));
  stage.syns_wait(1);
  stage.advance(50 * kNsPerMs);
  stage.answers(0);
  stage.has_flows(0, 1);
  stage.load(0).silent_since_ns.set(stage.now_ns());
  stage.advance(20 * kNsPerSecond);
  EXPECT_EQ(stage.states(), "active");
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
