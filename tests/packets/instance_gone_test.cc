// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Instances that die, drain, and are succeeded in their slot.
#include <set>

#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class InstanceGone : public WorkerTest {
 protected:
  using WorkerTest::WorkerTest;
  const Flow first{.port = 40001};
  const Flow second{.port = 40002};
  const Flow third{.port = 40003};
};

// --- death ---

TEST_F(InstanceGone, open_flows_are_reset_with_what_the_client_expects) {
  is_ready(0);
  opens(first, 0);
  opens(second, 0);
  guest(0).sends(second.reply("hello"));
  static_cast<void>(client.got());
  dies(0);
  EXPECT_THAT(client.got(),
              ::testing::UnorderedElementsAre("web>40001 RST seq 5001", "web>40002 RST seq 5006"));
  EXPECT_THAT(edges(), ElementsAre("dead 0/1"));
  EXPECT_EQ(load(0).dead_generation.get(), 1U);
  EXPECT_EQ(load(0).swept_generation.get(), 1U);
  EXPECT_EQ(load(0).attached_generation.get(), 0U);
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  EXPECT_EQ(load(0).resets_to_client.get(), 2U);
}

TEST_F(InstanceGone, a_retransmission_does_not_lower_what_the_client_expects) {
  is_ready(0);
  opens(first, 0);
  guest(0).sends(first.reply("hello"), first.from_guest(kTcpAck, 5008, 1001), first.reply("he"));
  static_cast<void>(client.got());
  dies(0);
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST seq 5008"));
}

TEST_F(InstanceGone, sequence_numbers_wrap) {
  const Flow flow{.guest_isn = 0xfffffffe};
  is_ready(0);
  opens(flow, 0);
  guest(0).sends(flow.reply("hello"));
  static_cast<void>(client.got());
  dies(0);
  EXPECT_THAT(client.got(), ElementsAre("web>40000 RST seq 4"));
}

TEST_F(InstanceGone, other_instances_and_services_are_not_touched) {
  is_ready(0);
  is_ready(1);
  is_ready(3);
  const Flow other{.service = kApi};
  opens(first, 0);
  opens(second, 1);
  opens(other, 3);
  dies(0);
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST seq 5001"));
  client.sends(second.data("x"), other.data("y"));
  EXPECT_THAT(guest(1).got(), ElementsAre("40002>web PSH-ACK seq 1001 ack 5001 \"x\""));
  EXPECT_THAT(guest(3).got(), ElementsAre("40000>api PSH-ACK seq 1001 ack 5001 \"y\""));
  EXPECT_THAT(client.got(), IsEmpty());
}

TEST_F(InstanceGone, late_packets_of_lost_flows_are_reset_and_late_resets_dropped) {
  is_ready(0);
  opens(first, 0);
  opens(second, 0);
  dies(0);
  static_cast<void>(client.got());
  client.sends(first.data("late"), second.rst());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST seq 5001"));
  EXPECT_EQ(drops(), "no_flow_reset 1");
}

TEST_F(InstanceGone, an_offered_syn_waits_again_and_goes_to_the_successor) {
  client.sends(first.syn());
  expects(0);
  comes_up(0);
  EXPECT_EQ(guest(0).got().size(), 1U);
  dies(0);
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  EXPECT_EQ(load(0).unanswered_since_ns.get(), 0U);

  removes(0);
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  EXPECT_EQ(load(0).attached_generation.get(), 2U);
  guest(0).sends(first.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 SYN-ACK seq 5000 ack 1001"));
}

TEST_F(InstanceGone, a_syn_that_goes_back_to_waiting_keeps_its_place) {
  client.sends(first.syn());
  advance(kNsPerMs);
  client.sends(second.syn());
  expects(0);
  comes_up(0);
  dies(0);
  expects(1);
  comes_up(1);
  EXPECT_THAT(guest(1).got(), ElementsAre("40001>web SYN seq 1000"));
}

TEST_F(InstanceGone, a_syn_that_was_given_away_for_good_is_sent_again_by_the_client) {
  is_ready(0);
  is_ready(1);
  client.sends(first.syn());
  EXPECT_EQ(guest(0).got().size(), 1U);
  dies(0);
  EXPECT_THAT(client.got(), IsEmpty()) << "nothing was promised to the client yet";
  client.sends(first.syn());
  EXPECT_THAT(guest(1).got(), ElementsAre("40001>web SYN seq 1000"));
}

TEST_F(InstanceGone, packets_on_their_way_to_it_are_dropped) {
  is_ready(0);
  opens(first, 0);
  guest(0).has_buffers(0);
  client.sends(first.data("a"), first.data("b"));
  EXPECT_EQ(board().worker(0).held_packets.get(), 2U);
  dies(0);
  EXPECT_EQ(drops(), "guest_gone 2");
  EXPECT_EQ(board().worker(0).held_packets.get(), 0U);
}

TEST_F(InstanceGone, what_it_said_before_it_died_still_arrives) {
  is_ready(0);
  opens(first, 0);
  sends_port_down(0);
  guest(0).sends(first.reply("bye"));
  EXPECT_THAT(client.got(),
              ElementsAre("web>40001 PSH-ACK seq 5001 ack 1001 \"bye\"", "web>40001 RST seq 5004"));
}

TEST_F(InstanceGone, without_packet_buffers_for_the_resets_the_clients_next_packet_draws_one) {
  is_ready(0);
  opens(first, 0);
  {
    const Dpdk::NoPackets no_packets;
    dies(0);
  }
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_EQ(board().worker(0).no_memory.get(), 1U);
  client.sends(first.data("late"));
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST seq 5001"));
}

TEST_F(InstanceGone, a_port_that_comes_back_to_a_dead_generation_is_not_used) {
  is_ready(0);
  dies(0);
  comes_up(0);  // the guest would not survive a poll
  client.sends(first.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  EXPECT_EQ(load(0).attached_generation.get(), 0U);
}

TEST_F(InstanceGone, a_port_that_goes_down_unlisted_is_acknowledged_and_no_death) {
  is_ready(0);
  removes(0);
  dies(0);
  EXPECT_THAT(edges(), IsEmpty());
  EXPECT_EQ(load(0).dead_generation.get(), 0U);
}

// --- reuse of a slot ---

TEST_F(InstanceGone, a_reused_slot_gets_nothing_of_the_flows_of_its_predecessor) {
  is_ready(0);
  opens(first, 0);
  dies(0);
  static_cast<void>(client.got());
  is_ready(0);
  client.sends(first.data("late"));
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST seq 5001"));
  EXPECT_THAT(guest(0).got(), IsEmpty());
  guest(0).sends(first.reply("who?"));
  EXPECT_THAT(client.got(), IsEmpty()) << "nor may it speak in them";
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web RST seq 1001"));
}

// A flow table that takes many rounds of housekeeping to be swept.
class LongSweep : public InstanceGone {
 protected:
  LongSweep() : InstanceGone(Setup{.worker = {.flows_max = 65536}}) {}

  // One round of housekeeping, with as many as a sweep of this table takes still to come.
  void dies_unswept(uint16_t slot) {
    sends_port_down(slot);
    turn();
    ASSERT_NE(load(slot).swept_generation.get(), generation(slot).value);
  }
};

TEST_F(LongSweep, late_packets_are_reset_before_the_sweep_comes_by) {
  is_ready(0);
  for (uint16_t port = 101; port <= 200; ++port) opens(Flow{.port = port}, 0);
  dies_unswept(0);
  for (uint16_t port = 101; port <= 200; ++port) put(build(Flow{.port = port}.data("late")));
  for (int turns = 0; turns < 30; ++turns) turn();
  const Words got = client.got();
  EXPECT_EQ(std::set<std::string>(got.begin(), got.end()).size(), 100U)
      << "some by the sweep, all by their packet";
  EXPECT_EQ(load(0).swept_generation.get(), 1U);
  EXPECT_EQ(load(0).in_flight.get(), 0U);
}

TEST_F(LongSweep, a_syn_that_was_offered_to_the_dead_is_not_offered_to_its_slot) {
  for (uint16_t port = 101; port <= 108; ++port) {
    const Flow flow{.port = port};
    client.sends(flow.syn());
    expects(0);
    comes_up(0);
    EXPECT_EQ(guest(0).got().size(), 1U);
    // It dies in the moment in which the next delivery is due.
    const uint64_t generated = board().worker(0).generated.get();
    lets_pass(kOfferAgainNs);
    dies_unswept(0);
    EXPECT_EQ(board().worker(0).generated.get(), generated) << "a copy was made for nobody";
    EXPECT_EQ(board().worker(0).held_packets.get(), 0U) << "… and lies in the queue of the slot";
    run();
    advance(kNsPerMs);
    removes(0);
    client.sends(flow.rst());
    static_cast<void>(drops());
  }
}

TEST_F(LongSweep, a_successor_that_comes_before_the_sweep_is_over_takes_over_the_syn_only) {
  is_ready(0);
  for (uint16_t port = 101; port <= 200; ++port) opens(Flow{.port = port}, 0);
  dies_unswept(0);
  client.sends(first.syn());
  removes(0);
  expects(0);
  comes_up(0);
  for (int turns = 0; turns < 30; ++turns) turn();
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  EXPECT_EQ(client.got().size(), 100U);
}

// --- draining ---

TEST_F(InstanceGone, a_draining_instance_keeps_its_flows_and_gets_no_new_ones) {
  is_ready(0);
  is_ready(1);
  opens(first, 0);
  drains(0);
  client.sends(second.syn());
  EXPECT_THAT(guest(1).got(), ElementsAre("40002>web SYN seq 1000"));
  client.sends(first.data("GET"));
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web PSH-ACK seq 1001 ack 5001 \"GET\""));
  guest(0).sends(first.reply("200"));
  EXPECT_EQ(client.got().size(), 1U);
}

TEST_F(InstanceGone, the_end_of_its_last_flow_is_told) {
  is_ready(0);
  opens(first, 0);
  opens(second, 0);
  drains(0);
  client.sends(first.rst());
  EXPECT_THAT(edges(), IsEmpty());
  client.sends(second.rst());
  EXPECT_THAT(edges(), ElementsAre("drained 0/1"));
}

TEST_F(InstanceGone, with_only_a_draining_instance_a_syn_is_held) {
  is_ready(0);
  drains(0);
  client.sends(first.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  EXPECT_THAT(edges(), ElementsAre("demand web"));
  recalls(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
}

TEST_F(InstanceGone, a_port_that_is_reused_after_the_end_leaves_a_draining_instance) {
  is_ready(0);
  is_ready(1);
  opens(first, 0);
  drains(0);
  client.sends(first.rst());
  static_cast<void>(guest(0).got());
  client.sends(first.syn());
  EXPECT_THAT(guest(1).got(), ElementsAre("40001>web SYN seq 1000"));
  EXPECT_THAT(guest(0).got(), IsEmpty());
}

// A client that crashed, say: its old connection was never ended.
TEST_F(InstanceGone, a_port_that_is_reused_over_a_quiet_open_flow_leaves_a_draining_instance) {
  is_ready(0);
  is_ready(1);
  opens(first, 0);
  drains(0);
  advance(kReusedAfterQuietNs + 3 * kNsPerMs);
  client.sends(first.syn());
  EXPECT_THAT(guest(1).got(), ElementsAre("40001>web SYN seq 1000"));
  EXPECT_THAT(guest(0).got(), IsEmpty());
  EXPECT_EQ(load(0).in_flight.get(), 0U) << "so that it may go";
  EXPECT_EQ(load(1).in_flight.get(), 1U);
}

TEST_F(InstanceGone, a_syn_into_a_flow_that_is_in_use_goes_to_its_guest_draining_or_not) {
  is_ready(0);
  is_ready(1);
  opens(first, 0);
  opens(second, 1);
  drains(0);
  client.sends(first.syn());
  EXPECT_EQ(guest(0).got().size(), 1U) << "the guest challenges it";
  advance(kReusedAfterQuietNs + 3 * kNsPerMs);
  client.sends(second.syn());
  EXPECT_EQ(guest(1).got().size(), 1U) << "not draining";
}

TEST_F(InstanceGone, a_port_that_is_reused_waits_where_only_a_draining_instance_is_left) {
  is_ready(0);
  opens(first, 0);
  drains(0);
  client.sends(first.rst());
  static_cast<void>(guest(0).got());
  client.sends(first.syn());
  EXPECT_THAT(guest(0).got(), IsEmpty());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
}

TEST_F(InstanceGone, removal_resets_what_is_left) {
  is_ready(0);
  opens(first, 0);
  drains(0);
  removes(0);
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST seq 5001"));
  EXPECT_EQ(load(0).swept_generation.get(), 1U);
  EXPECT_EQ(load(0).in_flight.get(), 0U) << "or the next instance in this slot seems to have flows";
  EXPECT_EQ(load(0).dead_generation.get(), 0U) << "it left by our order";
  guest(0).sends(first.reply("still here"));
  EXPECT_THAT(client.got(), IsEmpty());
}

TEST_F(InstanceGone, an_offered_syn_of_a_removed_instance_waits_again) {
  client.sends(first.syn());
  expects(0);
  comes_up(0);
  removes(0);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  expects(1);
  comes_up(1);
  EXPECT_THAT(guest(1).got(), ElementsAre("40001>web SYN seq 1000"));
}

TEST_F(InstanceGone, the_worker_passes_each_table) {
  expects(0);
  drains(0);
  removes(0);
  EXPECT_TRUE(steering().passed_by_all(4));
  EXPECT_FALSE(steering().passed_by_all(5));
}

}  // namespace
}  // namespace cheshire::test
