// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Packets of one burst that concern each other: the flow table is asked for all of them before the first
// acts. And guests by the dozen: those that are quiet are looked at in turns.
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class Burst : public WorkerTest {
 protected:
  Burst() {
    is_ready(0);
    is_ready(1);
  }
  const Flow flow{};
  const TcpFrame ack = flow.ack();
};

TEST_F(Burst, a_syn_and_what_follows_it_are_one_flow) {
  client.sends(flow.syn(), flow.syn(), ack, flow.data("GET"));
  EXPECT_THAT(guest(0).got(),
              ElementsAre("40000>web SYN seq 1000", "40000>web SYN seq 1000",
                          "40000>web ACK seq 1001 ack 5001", "40000>web PSH-ACK seq 1001 ack 5001 \"GET\""));
  EXPECT_THAT(guest(1).got(), IsEmpty());
  EXPECT_EQ(load(0).flows_opened.get(), 1U);
}

TEST_F(Burst, a_flow_that_is_reset_and_begun_again_is_another_one) {
  opens(flow, 0);
  client.sends(flow.data("a"), flow.rst(), Flow{.isn = 9000}.syn(), Flow{.isn = 9000}.rst());
  EXPECT_EQ(guest(0).got().size() + guest(1).got().size(), 4U);
  EXPECT_EQ(load(0).flows_opened.get() + load(1).flows_opened.get(), 2U);
  EXPECT_EQ(load(0).in_flight.get() + load(1).in_flight.get(), 0U);
}

TEST_F(Burst, packets_before_the_syn_are_reset_and_those_behind_it_are_not) {
  client.sends(flow.data("early"), flow.syn(), flow.data("late"));
  EXPECT_THAT(client.got(), ElementsAre("web>40000 RST seq 5001"));
  EXPECT_EQ(guest(0).got().size(), 2U);
}

TEST_F(Burst, a_flow_of_a_lost_instance_is_forgotten_once) {
  opens(flow, 0);
  sends_port_down(0);
  client.sends(flow.data("a"), flow.data("b"), Flow{.isn = 7000}.syn());
  client.sends(Flow{.isn = 7000}.syn());
  EXPECT_GE(guest(1).got().size(), 1U);
  EXPECT_EQ(load(1).in_flight.get(), 1U);
}

// More packets than a burst takes, all kinds mixed.
TEST_F(Burst, every_packet_of_many_bursts_goes_its_way_in_order) {
  for (uint16_t port = 1; port <= 50; ++port) {
    put(build(Flow{.port = port}.syn()));
    put(build(ArpFrame{}));
    put(build(Flow{.port = port}.data(std::to_string(port))));
  }
  run();
  Words at_guests = guest(0).got();
  const Words others = guest(1).got();
  EXPECT_EQ(at_guests.size() + others.size(), 100U);
  at_guests.insert(at_guests.end(), others.begin(), others.end());
  for (size_t i = 0; i + 1 < at_guests.size(); i += 2) {
    const std::string port = at_guests[i].substr(0, at_guests[i].find('>'));
    EXPECT_EQ(at_guests[i], port + ">web SYN seq 1000");
    EXPECT_EQ(at_guests[i + 1], port + ">web PSH-ACK seq 1001 ack 5001 \"" + port + "\"");
  }
  EXPECT_EQ(client.got().size(), 50U) << "ARP replies";
}

TEST_F(Burst, what_guests_say_of_their_own_accord_comes_soon_however_quiet_they_were) {
  opens(flow, 0);
  opens(Flow{.port = 2}, 1);
  for (int turns = 0; turns < 10'000; ++turns) turn();  // longer than anybody stays hot
  raw_guest(0).puts_on_ring(build(flow.reply("news")));
  turn();
  EXPECT_THAT(client.got(), ElementsAre("web>40000 PSH-ACK seq 5001 ack 1001 \"news\""));
}

TEST_F(Burst, a_guest_without_buffers_keeps_nobody_from_theirs) {
  opens(flow, 0);
  opens(Flow{.port = 2}, 1);
  guest(0).has_buffers(0);
  client.sends(flow.data("a"), Flow{.port = 2}.data("b"), flow.data("c"));
  EXPECT_EQ(guest(1).got().size(), 1U);
  EXPECT_THAT(guest(0).got(), IsEmpty());
  EXPECT_EQ(board().worker(0).held_packets.get(), 2U);
  guest(0).has_buffers(1);
  guest(0).has_buffers(5);
  EXPECT_EQ(guest(0).got().size(), 2U);
  EXPECT_EQ(board().worker(0).held_packets.get(), 0U);
}

// The stage checks the sum after each turn.
TEST_F(Burst, what_waits_for_guests_that_take_nothing_is_counted_in_the_turn_in_which_it_comes) {
  is_ready(2);
  for (uint16_t slot = 0; slot < 3; ++slot) {
    opens(Flow{.port = static_cast<uint16_t>(10 + slot)}, slot);
    raw_guest(slot).has_buffers(0);
  }
  const auto gets = [&](uint16_t slot) {
    put(build(Flow{.port = static_cast<uint16_t>(10 + slot)}.data("x")));
  };
  gets(0);
  gets(1);
  turn();
  gets(2);
  turn();
  // Asked in turns, beginning with the last: the first leaves the list, and the last takes its place in it.
  raw_guest(0).has_buffers(100);
  gets(1);
  turn();
  EXPECT_EQ(board().worker(0).held_packets.get(), 3U);
}

}  // namespace
}  // namespace cheshire::test
