// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From a SYN that nobody can take to the first SYN-ACK.
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class ColdStart : public WorkerTest {
 protected:
  const Flow first{.port = 40001};
  const Flow second{.port = 40002};
  const Flow third{.port = 40003};
};

TEST_F(ColdStart, a_syn_for_a_service_without_instances_is_held_and_told) {
  client.sends(first.syn());
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_EQ(drops(), "");
  EXPECT_THAT(edges(), ElementsAre("demand web"));
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  EXPECT_EQ(load(kWeb).waiting_since_ns.get(), now_ns());
  EXPECT_EQ(load(kApi).waiting_syns.get(), 0U);
  EXPECT_EQ(board().worker(0).held_packets.get(), 1U);

  client.sends(second.syn(), third.syn());
  EXPECT_THAT(edges(), IsEmpty()) << "the demand is known";
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 3U);
}

TEST_F(ColdStart, demand_is_told_again_after_the_queue_was_empty) {
  client.sends(first.syn());
  client.sends(first.rst());
  client.sends(second.syn());
  EXPECT_THAT(edges(), ElementsAre("demand web", "demand web"));
}

TEST_F(ColdStart, an_instance_that_comes_up_is_offered_the_oldest_syn_only) {
  client.sends(first.syn());
  advance(kNsPerMs);
  client.sends(second.syn());
  expects(0);
  EXPECT_THAT(edges(), ElementsAre("demand web"));
  comes_up(0);
  EXPECT_THAT(edges(), ElementsAre("attached 0/1"));
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  EXPECT_EQ(load(0).attached_generation.get(), 1U);
  EXPECT_EQ(load(0).unanswered_since_ns.get(), now_ns());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  EXPECT_EQ(load(kWeb).held_syns.get(), 2U);
  EXPECT_EQ(load(0).in_flight.get(), 1U);
}

TEST_F(ColdStart, rings_that_are_up_before_the_table_lists_the_instance_are_not_used_until_then) {
  client.sends(first.syn());
  expects(1);
  removes(1);  // the guest of slot 1 exists, the table does not know it
  comes_up(1);
  EXPECT_THAT(guest(1).got(), IsEmpty());
  EXPECT_EQ(load(1).attached_generation.get(), 0U);
}

TEST_F(ColdStart, its_syn_ack_makes_it_ready_and_releases_the_waiting_in_order_of_arrival) {
  client.sends(first.syn());
  client.sends(second.syn());
  client.sends(third.syn());
  expects(0);
  comes_up(0);
  static_cast<void>(guest(0).got());
  static_cast<void>(edges());

  guest(0).sends(first.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 SYN-ACK seq 5000 ack 1001"));
  EXPECT_THAT(guest(0).got(), ElementsAre("40002>web SYN seq 1000", "40003>web SYN seq 1000"));
  EXPECT_THAT(edges(), ElementsAre("ready 0/1"));
  EXPECT_EQ(load(0).ready_generation.get(), 1U);
  EXPECT_EQ(load(0).unanswered_since_ns.get(), 0U);
  EXPECT_EQ(load(kWeb).held_syns.get(), 0U);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 0U);
  EXPECT_EQ(load(kWeb).waiting_since_ns.get(), 0U);
  EXPECT_EQ(load(0).in_flight.get(), 3U);
  EXPECT_EQ(board().worker(0).held_packets.get(), 0U);

  client.sends(first.data("GET"));
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web PSH-ACK seq 1001 ack 5001 \"GET\""));
  guest(0).sends(first.reply("200"));
  EXPECT_THAT(client.got(), ElementsAre("web>40001 PSH-ACK seq 5001 ack 1001 \"200\""));
  EXPECT_EQ(drops(), "");
}

TEST_F(ColdStart, the_stages_stand_on_the_load_board) {
  const uint64_t seen_ns = now_ns();
  client.sends(first.syn());
  expects(0);
  advance(8 * kNsPerMs);
  const uint64_t up_ns = now_ns();
  comes_up(0);
  advance(kNsPerMs);
  guest(0).sends(first.syn_ack());
  EXPECT_EQ(load(0).connected_ns.get(), up_ns - 30);
  EXPECT_EQ(load(0).ring_up_ns.get(), up_ns - 10);
  EXPECT_EQ(load(0).messages_ns.get(), 7U);
  EXPECT_EQ(load(0).syn_seen_ns.get(), seen_ns);
  EXPECT_EQ(load(0).syn_delivered_ns.get(), up_ns);
  EXPECT_EQ(load(0).syn_ack_ns.get(), now_ns());
  EXPECT_NE(load(0).on_wire_ns.get(), 0U);  // by the real clock
}

TEST_F(ColdStart, an_instance_without_a_client_stays_unproven_and_its_first_syn_is_held) {
  expects(0);
  comes_up(0);
  EXPECT_EQ(load(0).unanswered_since_ns.get(), 0U);
  client.sends(first.syn());
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  EXPECT_EQ(load(kWeb).held_syns.get(), 1U);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 0U);
  guest(0).sends(first.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 SYN-ACK seq 5000 ack 1001"));
}

TEST_F(ColdStart, guests_at_the_vip_itself_get_the_packet_as_it_is) {
  const Flow flow{.service = kApi};
  expects(3);
  comes_up(3);
  client.sends(flow.syn());
  EXPECT_THAT(guest(3).got(), ElementsAre("40000>api SYN seq 1000"));
  guest(3).sends(flow.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("api>40000 SYN-ACK seq 5000 ack 1001"));
}

// --- answers that do not come ---

TEST_F(ColdStart, a_reset_before_it_is_ready_stays_hidden_and_the_syn_is_offered_again) {
  client.sends(first.syn());
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  for (int turn = 0; turn < 5; ++turn) {
    guest(0).sends(first.refusal());
    EXPECT_THAT(client.got(), IsEmpty());
    EXPECT_EQ(drops(), "guest_early_reset 1");
    advance(kOfferAgainAfterResetNs - 1);
    EXPECT_THAT(guest(0).got(), IsEmpty());
    advance(1);
    EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  }
  guest(0).sends(first.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 SYN-ACK seq 5000 ack 1001"));
}

TEST_F(ColdStart, a_syn_without_an_answer_is_offered_again) {
  client.sends(first.syn());
  expects(0);
  comes_up(0);
  EXPECT_EQ(guest(0).got().size(), 1U);
  advance(kOfferAgainNs - 1);
  EXPECT_THAT(guest(0).got(), IsEmpty());
  advance(1);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  advance(kOfferAgainNs);
  EXPECT_EQ(guest(0).got().size(), 1U);
  EXPECT_EQ(board().worker(0).generated.get(), 2U);
}

TEST_F(ColdStart, both_answers_to_a_syn_that_was_offered_twice_reach_the_client) {
  client.sends(first.syn());
  expects(0);
  comes_up(0);
  advance(kOfferAgainNs);
  guest(0).sends(first.syn_ack(), first.syn_ack());
  EXPECT_THAT(client.got(),
              ElementsAre("web>40001 SYN-ACK seq 5000 ack 1001", "web>40001 SYN-ACK seq 5000 ack 1001"));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
}

TEST_F(ColdStart, a_syn_that_an_unproven_instance_keeps_goes_to_one_that_is_ready) {
  expects(1);
  comes_up(1);
  client.sends(first.syn());
  EXPECT_THAT(guest(1).got(), ElementsAre("40001>web SYN seq 1000")) << "nobody is ready";
  is_ready(0);
  advance(kGiveToAnotherAfterNs);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
  guest(0).sends(first.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40001 SYN-ACK seq 5000 ack 1001"));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  EXPECT_EQ(load(1).in_flight.get(), 0U);
}

TEST_F(ColdStart, its_late_answer_makes_it_ready_and_is_reset) {
  expects(1);
  comes_up(1);
  client.sends(first.syn());
  is_ready(0);
  advance(kGiveToAnotherAfterNs);
  static_cast<void>(guest(0).got());
  static_cast<void>(guest(1).got());
  guest(1).sends(first.syn_ack());
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_THAT(guest(1).got(), ElementsAre("40001>web RST seq 1001"));
  EXPECT_EQ(load(1).ready_generation.get(), 1U);
}

TEST_F(ColdStart, with_one_ready_no_client_is_sent_to_an_unproven_one) {
  is_ready(0);
  expects(1);
  comes_up(1);
  client.sends(first.syn(), second.syn(), third.syn());
  EXPECT_THAT(guest(1).got(), IsEmpty());
  EXPECT_THAT(guest(0).got(),
              ElementsAre("40001>web SYN seq 1000", "40002>web SYN seq 1000", "40003>web SYN seq 1000"));
}

TEST_F(ColdStart, an_unproven_instance_that_takes_no_packets_does_not_stand_in_the_way_of_a_ready_one) {
  is_ready(0);
  expects(1);
  comes_up(1);
  guest(1).has_buffers(0);
  // Its queue is filled to the brim by answers to its own ARP requests.
  for (uint32_t i = 0; i < PacketQueue::kCapacity; ++i) {
    guest(1).sends(ArpFrame{.ethernet = {.source = kGuestMac}, .sender_mac = kGuestMac});
  }
  client.sends(first.syn());
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
}

TEST_F(ColdStart, without_a_packet_buffer_for_the_copy_the_syn_stays_and_is_offered_later) {
  client.sends(first.syn());
  expects(0);
  {
    const Dpdk::NoPackets no_packets;
    comes_up(0);
    EXPECT_THAT(guest(0).got(), IsEmpty());
    EXPECT_GT(board().worker(0).no_memory.get(), 0U);
    EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  }
  advance(kNsPerMs);
  EXPECT_THAT(guest(0).got(), ElementsAre("40001>web SYN seq 1000"));
}

TEST_F(ColdStart, what_is_held_when_the_worker_ends_is_given_back) {
  client.sends(first.syn(), second.syn());
  expects(0);
  comes_up(0);
  // TearDown looks for lost buffers: one SYN is offered, one waits.
  EXPECT_EQ(load(kWeb).held_syns.get(), 2U);
}

}  // namespace
}  // namespace cheshire::test
