// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Shells, standby, and pausing with quiet flows.
#include <gtest/gtest.h>

#include "tests/support/control_stage.h"

namespace cheshire::test {
namespace {

ServiceConfig pooled(uint32_t shells, uint32_t standby) {
  ServiceConfig service;
  service.instances_max = 3;
  service.shells = shells;
  service.standby = standby;
  service.in_flight_soft = 4;
  service.idle_after_ns = 100 * kNsPerMs;
  return service;
}

constexpr uint64_t kRefilledNs = 100 * kNsPerMs;

// A standby instance in slot 0.
void fill_standby(ControlStage& stage) {
  stage.advance(kRefilledNs);
  ASSERT_EQ(stage.instance(0).state, InstanceState::kWarming) << stage.states();
  stage.answers_a_probe(0);
  stage.advance(10 * kNsPerMs);
  ASSERT_EQ(stage.instance(0).state, InstanceState::kStandby) << stage.states();
}

TEST(ControlTiers, a_pool_of_shells_is_filled_one_after_the_other) {
  ControlStage stage(one_service(pooled(2, 0)));
  stage.advance(kRefilledNs);
  EXPECT_EQ(stage.states(), "shell shell absent");
  EXPECT_EQ(stage.status()->services[0].shells, 2U);
  EXPECT_EQ(stage.listed(0).role, SlotRole::kEmpty);
}

TEST(ControlTiers, a_waiting_client_starts_a_shell_and_the_pool_is_refilled_after_it) {
  ControlStage stage(one_service(pooled(1, 0)));
  stage.advance(kRefilledNs);
  const size_t boots = stage.driver().boots().size();
  stage.syns_wait(1);
  stage.tick();
  EXPECT_EQ(stage.states(), "booting absent absent");
  EXPECT_EQ(stage.instance(0).tier, StartTier::kShell);
  stage.advance(12 * kNsPerMs);
  EXPECT_EQ(stage.driver().boots().size(), boots) << "nothing is prepared while somebody waits";
  stage.answers(0);
  stage.advance(kRefilledNs);
  EXPECT_EQ(stage.states(), "active shell absent");
  EXPECT_EQ(stage.status()->cold_starts.back().tier, StartTier::kShell);
}

TEST(ControlTiers, a_standby_pool_is_booted_probed_and_paused) {
  ControlStage stage(one_service(pooled(0, 1)));
  fill_standby(stage);
  EXPECT_EQ(stage.states(), "standby absent absent");
  EXPECT_EQ(stage.listed(0).role, SlotRole::kStandby);
  EXPECT_TRUE(stage.status()->cold_starts.empty()) << "nobody waited for it";
}

TEST(ControlTiers, a_waiting_client_resumes_the_standby_before_a_shell_is_started) {
  ControlStage stage(one_service(pooled(1, 1)));
  fill_standby(stage);
  stage.advance(kRefilledNs);
  EXPECT_EQ(stage.states(), "standby shell absent");
  stage.syns_wait(1);
  stage.tick();
  EXPECT_EQ(stage.states(), "booting shell absent");
  EXPECT_EQ(stage.instance(0).tier, StartTier::kStandby);
  stage.answers(0);
  stage.tick();
  EXPECT_EQ(stage.instance(0).state, InstanceState::kActive);
  EXPECT_EQ(stage.status()->cold_starts.back().tier, StartTier::kStandby);
}

TEST(ControlTiers, scale_in_refills_standby_first) {
  ControlStage stage(one_service(pooled(0, 1)));
  fill_standby(stage);
  stage.syns_wait(1);
  stage.tick();
  stage.answers(0);
  stage.tick();
  stage.has_flows(0, 0);
  const size_t stops = stage.driver().stops().size();
  // Before the pool boots another one, this one is quiet and drained.
  stage.advance(kNsPerSecond);
  EXPECT_EQ(stage.instance(0).state == InstanceState::kStandby ||
                stage.instance(1).state == InstanceState::kStandby ||
                stage.instance(1).state == InstanceState::kWarming,
            true)
      << stage.states();
  EXPECT_LE(stage.driver().stops().size(), stops + 1);
}

TEST(ControlTiers, one_that_dies_on_standby_is_replaced) {
  ControlStage stage(one_service(pooled(0, 1)));
  fill_standby(stage);
  stage.driver().crash(stage.instance(0).id);
  stage.advance(kNsPerMs);
  EXPECT_NE(stage.instance(0).state, InstanceState::kStandby);
  stage.advance(6 * kNsPerSecond);
  EXPECT_EQ(stage.instance(0).id.generation, Generation{2});
}

TEST(ControlTiers, one_that_never_proves_itself_does_not_stay_in_the_pool) {
  ControlStage stage(one_service(pooled(0, 1)));
  stage.advance(kRefilledNs);
  stage.gets_a_syn(0);  // the probe, which it does not answer
  stage.advance(3 * kNsPerSecond);
  EXPECT_EQ(stage.status()->services[0].boots_failed, 1U);
}

ServiceConfig pausing() {
  ServiceConfig service = pooled(0, 0);
  service.idle = IdleAction::kPause;
  return service;
}

// An active instance in slot 0 with one open flow.
void open_one_flow(ControlStage& stage) {
  stage.syns_wait(1);
  stage.advance(12 * kNsPerMs);
  stage.answers(0);
  stage.tick();
  ASSERT_EQ(stage.states(), "active absent absent");
}

TEST(ControlTiers, an_instance_whose_flows_are_all_quiet_is_paused_with_them) {
  ControlStage stage(one_service(pausing()));
  open_one_flow(stage);
  stage.advance(90 * kNsPerMs);
  stage.moves_packets(0);
  stage.advance(90 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active absent absent") << "a packet moved";
  stage.advance(20 * kNsPerMs);
  EXPECT_EQ(stage.states(), "standby absent absent");
  EXPECT_EQ(stage.load(0).in_flight.get(), 1U);
  EXPECT_TRUE(stage.driver().stops().empty());
}

TEST(ControlTiers, an_instance_that_owes_an_answer_is_not_paused_however_quiet) {
  ControlStage stage(one_service(pausing()));
  open_one_flow(stage);
  stage.load(0).flows_owing.set(1);
  stage.advance(kNsPerSecond);
  EXPECT_EQ(stage.states(), "active absent absent");
  stage.load(0).flows_owing.set(0);
  stage.advance(10 * kNsPerMs);
  EXPECT_EQ(stage.states(), "standby absent absent");
}

TEST(ControlTiers, a_packet_that_comes_before_every_worker_knows_calls_the_pause_off) {
  ControlStage stage(one_service(pausing()));
  open_one_flow(stage);
  stage.stop_worker();
  stage.advance(150 * kNsPerMs);
  ASSERT_EQ(stage.states(), "pausing absent absent");
  stage.moves_packets(0);
  stage.start_worker();
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "booting absent absent");
  stage.answers_a_probe(0);
  stage.tick();
  EXPECT_EQ(stage.states(), "active absent absent");
}

TEST(ControlTiers, a_packet_for_one_of_its_flows_resumes_it) {
  ControlStage stage(one_service(pausing()));
  open_one_flow(stage);
  stage.advance(200 * kNsPerMs);
  ASSERT_EQ(stage.states(), "standby absent absent");
  stage.is_woken(0);
  stage.tick();
  EXPECT_EQ(stage.states(), "booting absent absent");
  stage.answers_a_probe(0);
  stage.tick();
  EXPECT_EQ(stage.states(), "active absent absent");
}

TEST(ControlTiers, one_that_is_woken_as_the_daemon_ends_is_stopped_and_not_run) {
  ControlStage stage(one_service(pausing()));
  open_one_flow(stage);
  stage.advance(200 * kNsPerMs);
  ASSERT_EQ(stage.states(), "standby absent absent");
  stage.is_woken(0);
  stage.control().begin_shutdown();
  stage.tick();  // the stage itself asserts that a table lists what is run
  EXPECT_EQ(stage.states(), "leaving absent absent");
  stage.advance(50 * kNsPerMs);
  EXPECT_TRUE(stage.control().all_gone());
}

TEST(ControlTiers, one_that_was_about_to_be_paused_as_the_daemon_ends_is_stopped_and_not_paused) {
  ControlStage stage(one_service(pausing()));
  open_one_flow(stage);
  stage.stop_worker();  // so that the pause waits for the table to be passed
  stage.advance(200 * kNsPerMs);
  ASSERT_EQ(stage.states(), "pausing absent absent");
  stage.start_worker();  // takes that table in the round to come
  stage.control().begin_shutdown();
  stage.tick();  // the stage itself asserts that what is paused is on standby for every worker
  EXPECT_EQ(stage.states(), "leaving absent absent");
  stage.advance(50 * kNsPerMs);
  EXPECT_TRUE(stage.control().all_gone());
}

TEST(ControlTiers, a_new_client_resumes_it_too) {
  ControlStage stage(one_service(pausing()));
  open_one_flow(stage);
  stage.advance(200 * kNsPerMs);
  stage.syns_wait(1);
  stage.tick();
  EXPECT_EQ(stage.states(), "booting absent absent");
}

TEST(ControlTiers, without_idle_pause_quiet_flows_keep_their_instance_running) {
  ControlStage stage(one_service(pooled(0, 0)));
  open_one_flow(stage);
  stage.advance(kNsPerSecond);
  EXPECT_EQ(stage.states(), "active absent absent");
}

TEST(ControlTiers, shutdown_takes_shells_and_standby_along) {
  ControlStage stage(one_service(pooled(1, 1)));
  fill_standby(stage);
  stage.advance(kRefilledNs);
  stage.control().begin_shutdown();
  stage.advance(50 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent");
  EXPECT_EQ(stage.driver().running(), 0U);
}

}  // namespace
}  // namespace cheshire::test
