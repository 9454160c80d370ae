// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Held SYNs: how long, how many, and what the client does meanwhile.
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class Hold : public WorkerTest {
 protected:
  using WorkerTest::WorkerTest;
  const Flow first{.port = 40001};
  const Flow second{.port = 40002};
};

// --- how long ---

TEST_F(Hold, a_syn_that_nobody_takes_in_time_is_reset) {
  client.sends(first.syn());
  advance(3 * kNsPerSecond - 1);
  EXPECT_THAT(client.got(), IsEmpty());
  advance(1);
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(load(kWeb).rejected(Rejection::kExpired).get(), 1U);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 0U);
  EXPECT_EQ(load(kWeb).waiting_since_ns.get(), 0U);
  EXPECT_EQ(drops(), "") << "it was answered";
}

TEST_F(Hold, each_syn_has_a_time_of_its_own) {
  client.sends(first.syn());
  advance(kNsPerSecond);
  client.sends(second.syn());
  advance(2 * kNsPerSecond);
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(load(kWeb).waiting_since_ns.get(), now_ns() - 2 * kNsPerSecond);
  advance(kNsPerSecond);
  EXPECT_THAT(client.got(), ElementsAre("web>40002 RST-ACK seq 0 ack 1001"));
}

TEST_F(Hold, a_syn_that_was_offered_in_vain_is_reset_in_time_too) {
  client.sends(first.syn());
  expects(0);
  comes_up(0);
  advance(3 * kNsPerSecond);
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(load(0).in_flight.get(), 0U);
  static_cast<void>(guest(0).got());

  guest(0).sends(first.syn_ack());  // too late for this client, not for others
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web RST seq 1001"));
  client.sends(second.syn());
  EXPECT_THAT(guest(0).got(), ElementsAre("40002>web SYN seq 1000"));
  EXPECT_EQ(load(kWeb).held_syns.get(), 0U) << "it has shown that it is ready";
}

TEST_F(Hold, a_client_that_was_reset_may_try_again) {
  client.sends(first.syn());
  advance(3 * kNsPerSecond);
  static_cast<void>(client.got());
  client.sends(first.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
}

TEST_F(Hold, the_reset_covers_what_the_syn_carried_and_keeps_its_vlan) {
  Flow tagged = first;
  tagged.vlan_tci = 7;
  client.sends(tagged.from_client(kTcpSyn, 0xffffffff, 0, "fast"));
  advance(3 * kNsPerSecond);
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST-ACK seq 0 ack 4 vlan 7"));
}

// --- how many ---

TEST_F(Hold, a_service_holds_no_more_than_its_bound) {
  for (uint16_t port = 1; port <= 8; ++port) client.sends(Flow{.port = port}.syn());
  EXPECT_THAT(client.got(), IsEmpty());
  client.sends(Flow{.port = 9}.syn());
  EXPECT_THAT(client.got(), ElementsAre("web>9 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(load(kWeb).rejected(Rejection::kHoldFull).get(), 1U);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 8U);

  client.sends(Flow{.service = kApi}.syn());
  EXPECT_EQ(load(kApi).waiting_syns.get(), 1U) << "the other service has a bound of its own";
  client.sends(Flow{.port = 3}.rst(), Flow{.port = 9}.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 8U) << "a place that becomes free is given away";
  EXPECT_EQ(load(kWeb).rejected(Rejection::kHoldFull).get(), 1U);
}

TEST_F(Hold, offered_syns_count_too) {
  expects(0);
  comes_up(0);
  for (uint16_t port = 1; port <= 9; ++port) client.sends(Flow{.port = port}.syn());
  EXPECT_THAT(client.got(), ElementsAre("web>9 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 7U);
  EXPECT_EQ(load(kWeb).held_syns.get(), 8U);
}

class HoldFew : public Hold {
 protected:
  HoldFew() : Hold(Setup{.held_syns_max = 3}) {}
};

TEST_F(HoldFew, all_services_together_hold_no_more_than_the_bound_of_the_daemon) {
  client.sends(first.syn(), second.syn(), Flow{.service = kApi}.syn());
  EXPECT_THAT(client.got(), IsEmpty());
  client.sends(Flow{.port = 40003}.syn());
  EXPECT_THAT(client.got(), ElementsAre("web>40003 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(load(kWeb).rejected(Rejection::kHoldFull).get(), 1U);
}

TEST_F(HoldFew, with_no_place_to_hold_a_syn_it_goes_to_one_that_is_ready) {
  is_ready(0);
  client.sends(Flow{.port = 1, .service = kApi}.syn(), Flow{.port = 2, .service = kApi}.syn(),
               Flow{.port = 3, .service = kApi}.syn());
  expects(1);
  comes_up(1);
  client.sends(first.syn());
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  EXPECT_THAT(guest(1).got(), IsEmpty());
}

class FewFlows : public Hold {
 protected:
  FewFlows() : Hold(Setup{.worker = {.flows_max = 4}}) {}
};

TEST_F(FewFlows, a_syn_for_which_the_flow_table_has_no_room_is_dropped) {
  for (uint16_t port = 1; port <= 5; ++port) client.sends(Flow{.port = port}.syn());
  EXPECT_EQ(drops(), "flow_table_full 1");
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 4U);
  EXPECT_THAT(client.got(), IsEmpty());
}

// --- refusing ---

TEST_F(Hold, a_service_that_refuses_resets_at_once) {
  refuses(kWeb);
  client.sends(first.syn());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(load(kWeb).rejected(Rejection::kRefusing).get(), 1U);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 0U);
  refuses(kWeb, false);
  client.sends(first.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
}

TEST_F(Hold, a_service_that_refuses_still_uses_what_it_has) {
  is_ready(0);
  refuses(kWeb);
  client.sends(first.syn());
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  EXPECT_EQ(load(kWeb).rejected(Rejection::kRefusing).get(), 0U);
}

// --- what the client does meanwhile ---

TEST_F(Hold, a_retransmission_is_recognised) {
  client.sends(first.syn());
  advance(kNsPerSecond);
  client.sends(first.syn());
  EXPECT_EQ(drops(), "hold_duplicate 1");
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  client.sends(first.syn());
  EXPECT_EQ(drops(), "hold_duplicate 1") << "also of one that is offered";
  advance(2 * kNsPerSecond);
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST-ACK seq 0 ack 1001"))
      << "its time is that of the first";
}

TEST_F(Hold, a_new_sequence_number_replaces_the_syn_and_keeps_its_place) {
  client.sends(first.syn());
  client.sends(second.syn());
  client.sends(Flow{.port = 40001, .isn = 7777}.syn());
  EXPECT_EQ(drops(), "client_gave_up 1");
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 2U);
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 7777"));
}

TEST_F(Hold, a_reset_gives_up_a_waiting_syn) {
  client.sends(first.syn(), second.syn());
  client.sends(first.rst());
  EXPECT_EQ(drops(), "client_gave_up 2") << "the SYN and the reset";
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40002>web SYN seq 1000"));
}

TEST_F(Hold, a_reset_for_an_offered_syn_goes_to_the_instance_and_the_next_syn_is_offered) {
  client.sends(first.syn(), second.syn());
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  client.sends(first.rst());
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web RST seq 1001", "40002>web SYN seq 1000"));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  EXPECT_EQ(load(kWeb).held_syns.get(), 1U);
}

TEST_F(Hold, an_ack_for_a_waiting_syn_is_reset) {
  client.sends(first.syn());
  client.sends(first.ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 RST seq 5001"));
  EXPECT_EQ(board().worker(0).resets_no_flow.get(), 1U);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
}

TEST_F(Hold, the_reply_goes_to_the_mac_of_the_newest_packet) {
  client.sends(first.syn());
  Flow moved = first;
  moved.client_mac = {{0x52, 0, 0, 0, 0, 9}};
  moved.isn = 2000;
  client.sends(moved.syn());
  expects(0);
  comes_up(0);
  guest(0).sends(moved.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 SYN-ACK seq 5000 ack 2001 to 52:00:00:00:00:09"));
}

TEST_F(Hold, padding_of_short_frames_does_not_reach_the_guest) {
  TcpFrame padded = first.syn();
  padded.padding = 6;
  client.sends(padded);
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
}

}  // namespace
}  // namespace cheshire::test
