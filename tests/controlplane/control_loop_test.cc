// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/control_loop.h"

#include "tests/controlplane/control_loop_begin.h"

namespace cheshire::test {
namespace {

// --- out ---

TEST(ControlLoopOut, nothing_is_booted_for_nobody) {
  ControlStage stage(one_service(three()));
  stage.advance(kNsPerSecond);
  EXPECT_EQ(stage.states(), "absent absent absent");
  EXPECT_TRUE(stage.driver().boots().empty());
}

TEST(ControlLoopOut, from_zero_to_active) {
  ControlStage stage(one_service(three()));
  stage.advance(kNsPerMs);
  stage.syns_wait(1);
  stage.tick();
  EXPECT_EQ(stage.states(), "booting absent absent");
  EXPECT_EQ(stage.listed(0).role, SlotRole::kAccepting);
  ASSERT_EQ(stage.driver().boots().size(), 1U);
  const BootOrder& order = stage.driver().boots()[0].order;
  EXPECT_EQ(order.name, "web/0/1");
  EXPECT_EQ(order.kernel, "/kernel");
  EXPECT_EQ(order.command_line, "port=8080");
  EXPECT_EQ(order.vhost_socket, "/slot-0");
  EXPECT_EQ(order.mac, kGuestMac);

  stage.advance(kBootNs);
  EXPECT_EQ(stage.states(), "booting absent absent") << "up is not ready";
  stage.answers(0);
  stage.tick();
  EXPECT_EQ(stage.states(), "active absent absent");
  EXPECT_EQ(stage.driver().boots().size(), 1U);
}

TEST(ControlLoopOut, the_soft_limit_wakes_the_next) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.has_flows(0, 3);
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "active absent absent");
  stage.has_flows(0, 4);
  stage.tick();
  EXPECT_EQ(stage.states(), "active booting absent");
  stage.advance(5 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active booting absent") << "one that boots is enough";
}

TEST(ControlLoopOut, many_syns_wake_all_that_are_needed_at_once_but_no_more_than_max) {
  ControlStage stage(one_service(three()));
  stage.syns_wait(5);
  stage.tick();
  EXPECT_EQ(stage.states(), "booting booting absent");
  stage.syns_wait(500);
  stage.advance(5 * kNsPerMs);
  EXPECT_EQ(stage.states(), "booting booting booting");
  EXPECT_EQ(stage.driver().boots().size(), 3U);
}

TEST(ControlLoopOut, min_is_booted_ahead_and_kept) {
  ServiceConfig service = three();
  service.instances_min = 2;
  ControlStage stage(one_service(service));
  stage.advance(10 * kNsPerSecond);
  EXPECT_EQ(stage.states(), "booting booting absent") << "unproven for as long as nobody asks";
  EXPECT_EQ(stage.driver().boots().size(), 2U);
  stage.answers(0);
  stage.advance(10 * kNsPerSecond);
  EXPECT_EQ(stage.states(), "active booting absent");
  stage.driver().crash(stage.instance(0).id);
  stage.advance(100 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent booting booting") << "and replaced";
}

TEST(ControlLoopOut, services_do_not_touch_each_other) {
  Config config = one_service(three());
  config.services.push_back(service_config(three()));
  config.services[1].name = "api";
  config.services[1].port = be16(443);
  ControlStage stage(config);
  stage.syns_wait(1, 1);
  stage.tick();
  EXPECT_EQ(stage.states(), "absent absent absent booting absent absent");
  EXPECT_EQ(stage.driver().boots()[0].order.name, "api/0/1");
}

// --- in ---

TEST(ControlLoopIn, a_quiet_instance_drains_and_stops) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.advance(95 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active absent absent");
  stage.advance(5 * kNsPerMs);
  EXPECT_EQ(stage.states(), "draining absent absent");
  EXPECT_EQ(stage.listed(0).role, SlotRole::kDraining);
  EXPECT_TRUE(stage.driver().stops().empty());
  stage.advance(10 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent");
  EXPECT_EQ(stage.driver().stops().size(), 1U);
  EXPECT_EQ(stage.driver().running(), 0U);
  EXPECT_EQ(stage.listed(0).role, SlotRole::kEmpty);
}

TEST(ControlLoopIn, flows_between_two_looks_count) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  for (int turn = 0; turn < 10; ++turn) {
    stage.advance(80 * kNsPerMs);
    stage.load(0).flows_opened.increment();  // opened and closed since
    stage.load(0).flows_closed.increment();
  }
  stage.advance(80 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active absent absent");
}

TEST(ControlLoopIn, the_last_quiet_one_goes_and_the_busy_stay) {
  ControlStage stage(one_service(three()));
  stage.syns_wait(9);
  stage.advance(kBootNs);
  stage.answers(0);
  stage.answers(1);
  stage.answers(2);
  stage.advance(kNsPerMs);
  ASSERT_EQ(stage.states(), "active active active");
  stage.has_flows(0, 0);
  stage.has_flows(1, 5);  // two are needed for five
  stage.has_flows(2, 0);
  stage.advance(101 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active active draining");
  stage.has_flows(1, 1);
  stage.advance(50 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent active absent");
}

TEST(ControlLoopIn, a_draining_instance_is_called_back) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.advance(100 * kNsPerMs);
  ASSERT_EQ(stage.states(), "draining absent absent");
  stage.syns_wait(1);
  stage.tick();
  EXPECT_EQ(stage.states(), "active absent absent");
  EXPECT_EQ(stage.listed(0).role, SlotRole::kAccepting);
  EXPECT_EQ(stage.driver().boots().size(), 1U) << "no boot for what is there";
  stage.syns_wait(0);
  stage.advance(90 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active absent absent") << "its quiet time begins anew";
}

TEST(ControlLoopIn, an_instance_that_was_not_ready_is_called_back_to_booting) {
  ControlStage stage(one_service(three()));
  stage.syns_wait(1);
  stage.advance(kBootNs);
  stage.syns_wait(0);  // the client gave up
  stage.advance(89 * kNsPerMs);
  ASSERT_EQ(stage.states(), "draining absent absent");
  stage.syns_wait(1);
  stage.tick();
  EXPECT_EQ(stage.states(), "booting absent absent");
  stage.answers(0);
  stage.tick();
  EXPECT_EQ(stage.states(), "active absent absent");
}

TEST(ControlLoopIn, draining_waits_until_the_worker_has_seen_the_table) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.stop_worker();
  stage.advance(500 * kNsPerMs);
  EXPECT_EQ(stage.states(), "draining absent absent") << "the worker may still give it a flow";
  stage.start_worker();
  stage.advance(10 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent");
}

TEST(ControlLoopIn, draining_waits_for_the_last_flow) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.advance(100 * kNsPerMs);
  ASSERT_EQ(stage.states(), "draining absent absent");
  stage.has_flows(0, 1);  // given by a worker that had not seen the table
  stage.advance(500 * kNsPerMs);
  EXPECT_EQ(stage.states(), "draining absent absent");
  EXPECT_TRUE(stage.driver().stops().empty());
  stage.has_flows(0, 0);
  stage.advance(4 * kNsPerMs);
  EXPECT_EQ(stage.states(), "draining absent absent") << "its last packets are on their way";
  stage.advance(6 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent");
}

TEST(ControlLoopIn, at_the_drain_deadline_what_is_left_is_taken_off_the_table) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.advance(100 * kNsPerMs);
  stage.has_flows(0, 1);
  const uint64_t began_ns = stage.instance(0).drain_began_ns;
  while (stage.instance(0).state == InstanceState::kDraining)
    stage.tick(), stage.advance(ControlStage::kTickNs);
  EXPECT_GE(stage.now_ns() - began_ns, kNsPerSecond);
  EXPECT_LE(stage.now_ns() - began_ns, kNsPerSecond + 3 * ControlStage::kTickNs);
  EXPECT_EQ(stage.listed(0).role, SlotRole::kEmpty);
  stage.advance(5 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent");
}

TEST(ControlLoopIn, a_process_is_stopped_only_when_the_worker_has_seen_that_it_is_off_the_table) {
  ControlStage stage(one_service(three()));
  has_served(stage);
  stage.control().begin_shutdown();
  stage.stop_worker();
  stage.advance(50 * kNsPerMs);
  EXPECT_EQ(stage.states(), "leaving absent absent");
  EXPECT_TRUE(stage.driver().stops().empty());
  stage.start_worker();
  stage.advance(200 * kNsPerUs);
  EXPECT_EQ(stage.states(), "stopping absent absent");
}

TEST(ControlLoopIn, shutdown_stops_all_and_boots_no_more) {
  ControlStage stage(one_service(three()));
  stage.syns_wait(9);
  stage.advance(kBootNs);
  stage.answers(0);
  stage.advance(kNsPerMs);
  ASSERT_EQ(stage.states(), "active booting booting");
  stage.control().begin_shutdown();
  stage.syns_wait(9);
  stage.advance(20 * kNsPerMs);
  EXPECT_TRUE(stage.control().all_gone());
  EXPECT_EQ(stage.driver().running(), 0U);
  EXPECT_EQ(stage.driver().boots().size(), 3U);
}

// --- slots ---

TEST(ControlLoopSlot, is_not_used_again_before_its_process_is_gone) {
  ControlStage stage(one_service(only_one()));
  stage.driver().script_default({.stop_delay_ns = 300 * kNsPerMs});
  has_served(stage);
  stage.advance(110 * kNsPerMs);
  ASSERT_EQ(stage.states(), "stopping");
  stage.syns_wait(1);
  stage.advance(200 * kNsPerMs);
  EXPECT_EQ(stage.states(), "stopping");
  stage.advance(100 * kNsPerMs);
  EXPECT_EQ(stage.states(), "booting");
  EXPECT_EQ(stage.instance(0).id.generation, Generation{2});
}

TEST(ControlLoopSlot, is_not_used_again_before_its_connection_is_closed) {
  ControlStage stage(one_service(only_one()));
  has_served(stage);
  stage.keep_connected(0);
  stage.advance(150 * kNsPerMs);
  stage.syns_wait(1);
  stage.advance(500 * kNsPerMs);
  EXPECT_EQ(stage.states(), "stopping");
  EXPECT_EQ(stage.driver().running(), 0U);
  stage.keep_connected(0, false);
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "booting");
}

TEST(ControlLoopSlot, has_a_new_generation_each_time) {
  ControlStage stage(one_service(only_one()));
  for (uint32_t generation = 1; generation <= 5; ++generation) {
    has_served(stage);
    EXPECT_EQ(stage.instance(0).id.generation, Generation{generation});
    EXPECT_EQ(stage.listed(0).generation, Generation{generation});
    stage.advance(150 * kNsPerMs);
    ASSERT_EQ(stage.states(), "absent");
  }
}

// --- accounts ---

TEST(ControlLoopStatus, a_cold_start_is_told_stage_by_stage) {
  ControlStage stage(one_service(three()));
  stage.advance(kNsPerMs);
  const uint64_t seen_ns = stage.now_ns();
  stage.syns_wait(1);
  stage.advance(20 * kNsPerMs);
  const uint64_t ordered_ns = stage.driver().boots()[0].time_ns;
  const uint64_t ring_up_ns = stage.load(0).ring_up_ns.get();
  stage.answers(0);
  SlotLoad& load = stage.load(0);
  load.messages_ns.set(40'000);
  load.syn_delivered_ns.set(ring_up_ns + 3'000);
  load.syn_ack_ns.set(ring_up_ns + 103'000);
  load.on_wire_ns.set(ring_up_ns + 104'500);
  const auto status = stage.status();
  ASSERT_EQ(status->cold_starts.size(), 1U);
  const ColdStart& start = status->cold_starts[0];
  EXPECT_EQ(start.number, 1U);
  EXPECT_EQ(start.instance, (InstanceId{{0}, {1}}));
  EXPECT_EQ(start.boot_ordered_ns, ordered_ns - seen_ns);
  EXPECT_EQ(start.spawned_ns, ordered_ns - seen_ns + kNsPerMs);
  EXPECT_EQ(start.ring_up_ns, ring_up_ns - seen_ns);
  EXPECT_EQ(start.vhost_connected_ns, ring_up_ns - seen_ns - kNsPerMs);
  EXPECT_EQ(start.syn_delivered_ns, start.ring_up_ns + 3'000);
  EXPECT_EQ(start.syn_ack_ns, start.ring_up_ns + 103'000);
  EXPECT_EQ(start.on_wire_ns, start.ring_up_ns + 104'500);
  // SYN to order, order to process, messages, ring up to SYN delivered, SYN-ACK to wire.
  EXPECT_EQ(start.own_ns, start.spawned_ns + 40'000 + 3'000 + 1'500);
  EXPECT_EQ(status->services[0].cold_starts, 1U);
}

TEST(ControlLoopStatus, an_instance_that_was_booted_ahead_is_no_cold_start) {
  ServiceConfig service = three();
  service.instances_min = 1;
  ControlStage stage(one_service(service));
  stage.advance(kNsPerSecond);
  stage.syns_wait(1);
  stage.answers(0);
  EXPECT_EQ(stage.states(), "booting absent absent");
  const auto status = stage.status();
  EXPECT_EQ(stage.states(), "active absent absent");
  EXPECT_TRUE(status->cold_starts.empty());
}

TEST(ControlLoopStatus, the_newest_256_cold_starts_are_kept) {
  ControlStage stage(one_service(only_one()));
  for (int i = 0; i < 260; ++i) {
    has_served(stage);
    stage.advance(120 * kNsPerMs);
  }
  const auto status = stage.status();
  EXPECT_EQ(status->services[0].cold_starts, 260U);
  ASSERT_EQ(status->cold_starts.size(), 256U);
  EXPECT_EQ(status->cold_starts.front().number, 5U);
  EXPECT_EQ(status->cold_starts.back().number, 260U);
}

TEST(ControlLoopStatus, counts_instances_by_state) {
  ControlStage stage(one_service(three()));
  stage.syns_wait(9);
  stage.advance(kBootNs);
  stage.answers(0);
  stage.has_flows(0, 9);
  const auto status = stage.status();
  EXPECT_EQ(status->services[0].active, 1U);
  EXPECT_EQ(status->services[0].booting, 2U);
  EXPECT_EQ(status->services[0].draining, 0U);
  EXPECT_EQ(status->services[0].wanted, 3U);
  EXPECT_EQ(status->services[0].boots, 3U);
}

}  // namespace
}  // namespace cheshire::test
