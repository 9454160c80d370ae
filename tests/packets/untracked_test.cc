// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Flows that found the flow table full: counted, and served all the same by the instance that hashing names.
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class Untracked : public WorkerTest {
 protected:
  Untracked() : WorkerTest(Setup{.worker = {.flows_max = 2, .idle_timeout_ns = 60 * kNsPerSecond}}) {
    is_ready(0);
    is_ready(1);
    opens(Flow{.port = 1}, 0);
    opens(Flow{.port = 2}, 1);
  }
  // Where its SYN goes: its instance.
  uint16_t begins(const Flow& one) {
    client.sends(one.syn());
    const size_t first = guest(0).got().size();
    const size_t second = guest(1).got().size();
    EXPECT_EQ(first + second, 1U) << "the SYN of " << one.port;
    return first == 1 ? 0 : 1;
  }
  const Flow flow{.port = 40000, .vlan_tci = 7, .client_mac = {{0x52, 0, 0, 0, 0, 9}}};
};

TEST_F(Untracked, a_flow_without_room_is_served_and_counted) {
  const uint16_t slot = begins(flow);
  guest(slot).sends(flow.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40000 SYN-ACK seq 5000 ack 1001 vlan 7 to 52:00:00:00:00:09"));
  client.sends(flow.ack(), flow.data("GET"));
  EXPECT_EQ(guest(slot).got().size(), 2U);
  guest(slot).sends(flow.reply("200"));
  EXPECT_EQ(client.got().size(), 1U);
  EXPECT_EQ(board().worker(0).untracked.get(), 3U);
  EXPECT_EQ(drops(), "");
  EXPECT_EQ(load(slot).in_flight.get(), 1U) << "it is in nobody's count";
}

TEST_F(Untracked, every_packet_of_a_flow_goes_to_the_same_instance) {
  std::array<size_t, 2> flows{};
  for (uint16_t port = 100; port < 200; ++port) {
    const Flow one{.port = port};
    const uint16_t slot = begins(one);
    ++flows[slot];
    client.sends(one.ack(), one.data("x"), one.syn());
    EXPECT_EQ(guest(slot).got().size(), 3U) << port;
  }
  EXPECT_GT(flows[0], 25U);
  EXPECT_GT(flows[1], 25U);
}

TEST_F(Untracked, another_guest_cannot_answer_in_it) {
  const uint16_t slot = begins(flow);
  guest(1 - slot).sends(flow.reply("stolen"));
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_EQ(drops(), "");  // it is told by a reset that there is no such flow
  EXPECT_EQ(guest(1 - slot).got().size(), 1U);
}

TEST_F(Untracked, a_flow_whose_instance_is_gone_goes_to_another_that_resets_it) {
  const uint16_t slot = begins(flow);
  dies(slot);
  static_cast<void>(client.got());
  client.sends(flow.data("GET"));
  EXPECT_EQ(guest(1 - slot).got().size(), 1U);
}

TEST_F(Untracked, with_nobody_ready_there_is_no_way) {
  has_role(0, SlotRole::kDraining);
  has_role(1, SlotRole::kDraining);
  client.sends(flow.syn());
  EXPECT_EQ(drops(), "flow_table_full 1");
}

TEST_F(Untracked, long_after_the_last_one_strangers_are_reset_again) {
  static_cast<void>(begins(flow));
  advance(61 * kNsPerSecond);
  static_cast<void>(client.got());
  client.sends(Flow{.port = 77}.data("who"));
  EXPECT_THAT(client.got(), ElementsAre("web>77 RST seq 5001"));
}

TEST_F(Untracked, a_client_that_has_the_port_of_one_that_is_over_can_still_prove_its_address) {
  begins(flow);
  AdmissionRules rules{.challenge = Challenge::kFlood, .remember_ns = kNsPerSecond};
  rules.any_unknown_proves = true;
  service(kWeb).rules_given = std::make_shared<const AdmissionRules>(rules);
  publish();
  run();
  const Flow again{.port = flow.port};
  client.sends(again.syn());
  const std::vector<Bytes> challenge = take_from_wire();
  ASSERT_EQ(challenge.size(), 1U);
  client.sends(again.from_client(kTcpRst, read32(challenge[0], 42), 0));
  EXPECT_EQ(load(kWeb).challenges_passed.get(), 1U);
  EXPECT_EQ(dropped(DropReason::k_challenge_passed), 1U);
}

}  // namespace
}  // namespace cheshire::test
