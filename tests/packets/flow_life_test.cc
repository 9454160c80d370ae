// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Flows between their first and their last packet: steering, ends, reuse of ports, ageing, VLAN tags.
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class FlowLife : public WorkerTest {
 protected:
  FlowLife()
      : WorkerTest(Setup{.worker = {.flows_max = 1024,
                                    .handshake_timeout_ns = 10 * kNsPerSecond,
                                    .idle_timeout_ns = 60 * kNsPerSecond,
                                    .closing_timeout_ns = 2 * kNsPerSecond}}) {}

  // Turns often enough for ageing to look at every flow.
  void let_age(uint64_t ns) {
    for (int step = 0; step < 100; ++step) advance(ns / 100);
  }

  const Flow flow{};
  const TcpFrame client_fin = flow.from_client(kTcpFin | kTcpAck, 1001, 5001);
  const TcpFrame guest_fin = flow.from_guest(kTcpFin | kTcpAck, 5001, 1002);
  const TcpFrame last_ack = flow.from_client(kTcpAck, 1002, 5002);
};

// --- steering ---

TEST_F(FlowLife, new_flows_go_to_the_instance_with_the_fewest) {
  is_ready(0);
  is_ready(1);
  opens(Flow{.port = 1}, 0);
  opens(Flow{.port = 2}, 1);
  opens(Flow{.port = 3}, 0);
  opens(Flow{.port = 4}, 1);
  client.sends(Flow{.port = 1}.rst(), Flow{.port = 3}.rst());
  static_cast<void>(guest(0).got());
  opens(Flow{.port = 5}, 0);
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  EXPECT_EQ(load(1).in_flight.get(), 2U);
}

TEST_F(FlowLife, the_soft_limit_is_told_once_each_time_it_is_reached) {
  is_ready(0);
  for (uint16_t port = 1; port <= 6; ++port) opens(Flow{.port = port}, 0);
  EXPECT_THAT(edges(), ElementsAre("soft limit 0/1"));
  for (uint16_t port = 1; port <= 4; ++port) client.sends(Flow{.port = port}.rst());
  static_cast<void>(guest(0).got());
  for (uint16_t port = 11; port <= 14; ++port) opens(Flow{.port = port}, 0);
  EXPECT_THAT(edges(), ElementsAre("soft limit 0/1"));
}

TEST_F(FlowLife, a_retransmitted_syn_goes_to_the_same_instance) {
  is_ready(0);
  is_ready(1);
  client.sends(flow.syn());
  client.sends(flow.syn());
  EXPECT_EQ(guest(0).got().size(), 2U);
  EXPECT_THAT(guest(1).got(), IsEmpty());
  EXPECT_EQ(load(0).flows_opened.get(), 1U);
}

TEST_F(FlowLife, the_same_port_of_two_clients_is_two_flows) {
  is_ready(0);
  is_ready(1);
  Flow other = flow;
  other.client_ip = be32(0xc6336408);
  opens(flow, 0);
  opens(other, 1);
  client.sends(other.data("x"));
  EXPECT_THAT(guest(1).got(), ElementsAre("198.51.100.8:40000>web PSH-ACK seq 1001 ack 5001 \"x\""));
  EXPECT_THAT(guest(0).got(), IsEmpty());
}

TEST_F(FlowLife, the_same_client_port_to_two_services_is_two_flows) {
  is_ready(0);
  is_ready(3);
  const Flow other{.service = kApi};
  opens(flow, 0);
  opens(other, 3);
  client.sends(flow.rst());
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  EXPECT_EQ(load(3).in_flight.get(), 1U);
}

// --- ends ---

TEST_F(FlowLife, ends_in_flight_when_both_have_finished_and_the_client_has_all) {
  is_ready(0);
  opens(flow, 0);
  client.sends(client_fin);
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  guest(0).sends(guest_fin);
  EXPECT_EQ(load(0).in_flight.get(), 1U) << "the guest's FIN may be lost";
  client.sends(last_ack);
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  EXPECT_THAT(guest(0).got(),
              ElementsAre("40000>web FIN-ACK seq 1001 ack 5001", "40000>web ACK seq 1002 ack 5002"));
  EXPECT_EQ(load(0).flows_opened.get(), load(0).flows_closed.get());
}

TEST_F(FlowLife, ends_likewise_when_the_guest_finishes_first) {
  is_ready(0);
  opens(flow, 0);
  guest(0).sends(flow.from_guest(kTcpFin | kTcpAck, 5001, 1001));
  client.sends(flow.from_client(kTcpAck, 1001, 5002));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  client.sends(flow.from_client(kTcpFin | kTcpAck, 1001, 5002));
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  guest(0).sends(flow.from_guest(kTcpAck, 5002, 1002));
  EXPECT_EQ(client.got().size(), 2U) << "the last ACK still passes";
}

TEST_F(FlowLife, a_half_closed_flow_goes_on) {
  is_ready(0);
  opens(flow, 0);
  client.sends(client_fin);
  guest(0).sends(flow.from_guest(kTcpAck, 5001, 1002, "more"));
  EXPECT_THAT(client.got(), ElementsAre("web>40000 ACK seq 5001 ack 1002 \"more\""));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
}

TEST_F(FlowLife, an_ack_of_less_than_all_is_not_the_end) {
  is_ready(0);
  opens(flow, 0);
  client.sends(client_fin);
  guest(0).sends(flow.from_guest(kTcpAck, 5001, 1002, "1234"),
                 flow.from_guest(kTcpFin | kTcpAck, 5005, 1002));
  client.sends(flow.from_client(kTcpAck, 1002, 5005));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  client.sends(flow.from_client(kTcpAck, 1002, 5006));
  EXPECT_EQ(load(0).in_flight.get(), 0U);
}

TEST_F(FlowLife, stragglers_of_a_closed_flow_still_pass_and_are_counted_once) {
  is_ready(0);
  opens(flow, 0);
  client.sends(client_fin);
  guest(0).sends(guest_fin);
  client.sends(last_ack);
  static_cast<void>(client.got());
  static_cast<void>(guest(0).got());
  client.sends(client_fin, last_ack, last_ack);
  guest(0).sends(guest_fin);
  EXPECT_EQ(guest(0).got().size(), 3U);
  EXPECT_EQ(client.got().size(), 1U);
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  EXPECT_EQ(load(0).flows_opened.get(), load(0).flows_closed.get());
}

TEST_F(FlowLife, a_reset_of_either_side_ends_it_and_reaches_the_other) {
  is_ready(0);
  opens(flow, 0);
  client.sends(flow.rst());
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web RST seq 1001"));
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  const Flow other{.port = 40001};
  opens(other, 0);
  guest(0).sends(other.from_guest(kTcpRst, 5001, 0));
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST seq 5001"));
  EXPECT_EQ(load(0).in_flight.get(), 0U);
}

TEST_F(FlowLife, a_closed_flow_of_a_dead_instance_is_not_reset) {
  is_ready(0);
  opens(flow, 0);
  client.sends(client_fin);
  guest(0).sends(guest_fin);
  client.sends(last_ack);
  static_cast<void>(client.got());
  dies(0);
  EXPECT_THAT(client.got(), IsEmpty());
}

// --- reuse of a port ---

TEST_F(FlowLife, a_port_that_is_used_again_after_the_end_is_steered_afresh) {
  is_ready(0);
  is_ready(1);
  opens(flow, 0);
  opens(Flow{.port = 1}, 1);
  opens(Flow{.port = 2}, 0);
  client.sends(flow.rst());
  static_cast<void>(guest(0).got());
  opens(Flow{.port = 3}, 0);
  opens(Flow{.port = 40000, .isn = 9000}, 1);
  EXPECT_EQ(load(0).in_flight.get(), 2U);
  EXPECT_EQ(load(1).in_flight.get(), 2U);
}

TEST_F(FlowLife, a_syn_in_an_open_flow_is_the_guests_to_answer) {
  is_ready(0);
  is_ready(1);
  opens(flow, 0);
  client.sends(Flow{.isn = 9000}.syn());
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web SYN seq 9000"));  // a challenge ACK (RFC 9293 3.10.7.4)
  EXPECT_EQ(load(0).in_flight.get(), 1U);
}

// --- ageing ---

TEST_F(FlowLife, an_open_flow_ages_after_its_idle_time_and_then_draws_a_reset) {
  is_ready(0);
  opens(flow, 0);
  let_age(59 * kNsPerSecond);
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  let_age(3 * kNsPerSecond);
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  EXPECT_EQ(board().worker(0).flows.get(), 0U);
  client.sends(flow.data("late"));
  EXPECT_THAT(client.got(), ElementsAre("web>40000 RST seq 5001"));
}

TEST_F(FlowLife, packets_of_either_side_keep_it_young) {
  is_ready(0);
  opens(flow, 0);
  for (int turn = 0; turn < 4; ++turn) {
    let_age(40 * kNsPerSecond);
    if (turn % 2 == 0) client.sends(flow.data("."));
    if (turn % 2 == 1) guest(0).sends(flow.reply("."));
  }
  EXPECT_EQ(load(0).in_flight.get(), 1U);
}

TEST_F(FlowLife, a_handshake_that_does_not_come_ages_sooner) {
  is_ready(0);
  client.sends(flow.syn());
  let_age(9 * kNsPerSecond);
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  let_age(3 * kNsPerSecond);
  EXPECT_EQ(load(0).in_flight.get(), 0U);
}

TEST_F(FlowLife, a_closed_flow_ages_soonest) {
  is_ready(0);
  opens(flow, 0);
  client.sends(client_fin);
  guest(0).sends(guest_fin);
  client.sends(last_ack);
  let_age(kNsPerSecond);
  advance(kNsPerMs);
  EXPECT_GE(board().worker(0).flows.get(), 1U);
  let_age(3 * kNsPerSecond);
  EXPECT_EQ(board().worker(0).flows.get(), 0U);
}

TEST_F(FlowLife, a_flow_that_its_client_has_reset_is_kept_as_long_as_a_handshake_may_take) {
  is_ready(0);
  opens(flow, 0);
  client.sends(flow.rst());
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  let_age(9 * kNsPerSecond);
  EXPECT_EQ(board().worker(0).flows.get(), 1U);
  let_age(3 * kNsPerSecond);
  EXPECT_EQ(board().worker(0).flows.get(), 0U);
}

TEST_F(FlowLife, a_forged_reset_that_the_guest_does_not_believe_ends_nothing) {
  is_ready(0);
  opens(flow, 0);
  client.sends(flow.from_client(kTcpRst, 777, 0));
  guest(0).sends(flow.reply("as if nothing had been"));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  let_age(30 * kNsPerSecond);
  client.sends(flow.data("still here"));
  EXPECT_THAT(guest(0).got(), testing::Contains("40000>web PSH-ACK seq 1001 ack 5001 \"still here\""));
}

TEST_F(FlowLife, a_client_that_does_not_go_on_after_the_syn_ack_ages_like_a_handshake) {
  is_ready(0);
  client.sends(flow.syn());
  guest(0).sends(flow.syn_ack());
  let_age(9 * kNsPerSecond);
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  let_age(3 * kNsPerSecond);
  EXPECT_EQ(load(0).in_flight.get(), 0U);
}

TEST_F(FlowLife, a_held_syn_has_the_clock_of_the_hold_queue) {
  service(kWeb).hold_time_max_ns = 100 * kNsPerSecond;
  publish();
  client.sends(flow.syn());
  let_age(99 * kNsPerSecond);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
}

// --- VLAN ---

TEST_F(FlowLife, a_vlan_tag_is_taken_off_for_the_guest_and_put_back_for_the_client) {
  const Flow tagged{.vlan_tci = uint16_t{0x6007}};  // priority 3, VLAN 7
  client.sends(tagged.syn());
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web SYN seq 1000"));
  guest(0).sends(tagged.syn_ack(), tagged.reply("200"));
  EXPECT_THAT(client.got(), ElementsAre("web>40000 SYN-ACK seq 5000 ack 1001 vlan 24583",
                                        "web>40000 PSH-ACK seq 5001 ack 1001 \"200\" vlan 24583"));
  client.sends(tagged.data("GET"));
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web PSH-ACK seq 1001 ack 5001 \"GET\""));
  dies(0);
  EXPECT_THAT(client.got(), ElementsAre("web>40000 RST seq 5004 vlan 24583"));
}

TEST_F(FlowLife, vlan_zero_is_a_tag_too) {
  is_ready(0);
  const Flow tagged{.vlan_tci = uint16_t{0}};
  client.sends(tagged.syn());
  guest(0).sends(tagged.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40000 SYN-ACK seq 5000 ack 1001 vlan 0"));
}

TEST_F(FlowLife, replies_follow_a_client_that_changes_its_vlan) {
  is_ready(0);
  opens(flow, 0);
  Flow moved = flow;
  moved.vlan_tci = 9;
  client.sends(moved.ack());
  guest(0).sends(flow.reply("200"));
  EXPECT_THAT(client.got(), ElementsAre("web>40000 PSH-ACK seq 5001 ack 1001 \"200\" vlan 9"));
}

}  // namespace
}  // namespace cheshire::test
