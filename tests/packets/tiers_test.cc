// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Instances that are booted ahead of their clients: the worker's own probes, and standby.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Tiers : public WorkerTest {
 protected:
  Tiers() { service(kWeb).gateway_ip = be32(0x0a000001); }

  [[nodiscard]] uint64_t probes(uint16_t slot) const { return load(slot).probes.get(); }

  // What a guest says to the probe: to the gateway's port 9.
  [[nodiscard]] TcpFrame answer_to_probe(uint8_t flags) const {
    TcpFrame frame = Flow{}.from_guest(flags, 5000, 1);
    frame.ip.destination = be32(0x0a000001);
    frame.tcp.destination_port = 9;
    return frame;
  }

  const Flow flow{};
};

TEST_F(Tiers, an_instance_that_nobody_asks_is_probed_until_it_answers) {
  expects(0);
  comes_up(0);
  EXPECT_EQ(probes(0), 1U);
  EXPECT_THAT(guest(0).got(), SizeIs(1));
  advance(kProbeAgainNs);
  EXPECT_EQ(probes(0), 2U);
  static_cast<void>(guest(0).got());
  guest(0).sends(answer_to_probe(kTcpSyn | kTcpAck));
  EXPECT_EQ(load(0).ready_generation.get(), 1U);
  EXPECT_THAT(guest(0).got(), SizeIs(1)) << "the reset that ends the probe";
  advance(10 * kProbeAgainNs);
  EXPECT_EQ(probes(0), 2U);
  EXPECT_THAT(client.got(), IsEmpty());
}

TEST_F(Tiers, one_whose_application_does_not_listen_yet_is_probed_again_soon) {
  expects(0);
  comes_up(0);
  guest(0).sends(answer_to_probe(kTcpRst | kTcpAck));
  advance(kProbeAgainAfterResetNs);
  EXPECT_EQ(probes(0), 2U);
  EXPECT_EQ(load(0).ready_generation.get(), 0U);
}

TEST_F(Tiers, a_waiting_client_is_the_better_probe) {
  client.sends(flow.syn());
  expects(0);
  comes_up(0);
  EXPECT_EQ(probes(0), 0U);
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web SYN seq 1000"));
}

TEST_F(Tiers, a_warming_instance_is_probed_and_gets_no_client) {
  expects(0);
  has_role(0, SlotRole::kWarming);
  comes_up(0);
  EXPECT_EQ(probes(0), 1U);
  static_cast<void>(guest(0).got());
  guest(0).sends(answer_to_probe(kTcpSyn | kTcpAck));
  static_cast<void>(guest(0).got());
  EXPECT_EQ(load(0).ready_generation.get(), 1U);
  client.sends(flow.syn());
  EXPECT_THAT(guest(0).got(), IsEmpty());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
}

TEST_F(Tiers, a_standby_instance_gets_no_new_flow_and_has_to_show_anew_that_it_is_ready) {
  is_ready(0);
  has_role(0, SlotRole::kStandby);
  EXPECT_EQ(load(0).ready_generation.get(), 0U);
  client.sends(flow.syn());
  EXPECT_THAT(guest(0).got(), IsEmpty());
  has_role(0, SlotRole::kAccepting);
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web SYN seq 1000"));
  guest(0).sends(flow.syn_ack());
  EXPECT_EQ(load(0).ready_generation.get(), 1U);
  EXPECT_THAT(client.got(), ElementsAre("web>40000 SYN-ACK seq 5000 ack 1001"));
}

TEST_F(Tiers, a_packet_for_a_flow_of_a_standby_instance_wakes_it_and_is_not_lost) {
  is_ready(0);
  opens(flow, 0);
  has_role(0, SlotRole::kStandby);
  static_cast<void>(edges());
  EXPECT_EQ(load(0).wake_since_ns.get(), 0U);
  client.sends(flow.data("wake up"));
  EXPECT_NE(load(0).wake_since_ns.get(), 0U);
  EXPECT_THAT(edges(), Contains("wake 0/1"));
  EXPECT_THAT(client.got(), IsEmpty());
  has_role(0, SlotRole::kAccepting);
  EXPECT_THAT(guest(0).got(), Contains("40000>web PSH-ACK seq 1001 ack 5001 \"wake up\""));
}

TEST_F(Tiers, a_packet_that_was_queued_just_before_wakes_it_too) {
  is_ready(0);
  opens(flow, 0);
  guest(0).has_buffers(0);
  client.sends(flow.data("just in time"));
  has_role(0, SlotRole::kStandby);
  EXPECT_NE(load(0).wake_since_ns.get(), 0U);
}

TEST_F(Tiers, a_flow_owes_an_answer_from_the_clients_data_to_the_guests) {
  is_ready(0);
  opens(flow, 0);
  EXPECT_EQ(load(0).flows_owing.get(), 0U);
  client.sends(flow.data("GET"), flow.data("GET"));
  EXPECT_EQ(load(0).flows_owing.get(), 1U);
  guest(0).sends(flow.from_guest(kTcpAck, 5001, 1004));
  EXPECT_EQ(load(0).flows_owing.get(), 1U) << "an ACK is no answer";
  guest(0).sends(flow.reply("200"));
  EXPECT_EQ(load(0).flows_owing.get(), 0U);
  client.sends(flow.data("GET"), flow.rst());
  EXPECT_EQ(load(0).flows_owing.get(), 0U) << "nobody waits any more";
}

TEST_F(Tiers, a_device_that_goes_down_with_the_vcpu_loses_neither_flows_nor_packets) {
  is_ready(0);
  opens(flow, 0);
  has_role(0, SlotRole::kStandby);
  sends_port_down(0);
  run();
  EXPECT_EQ(load(0).dead_generation.get(), 0U);
  client.sends(flow.data("while it sleeps"));
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_NE(load(0).wake_since_ns.get(), 0U);
  has_role(0, SlotRole::kAccepting);
  sends_port_up(0);
  run();
  EXPECT_THAT(guest(0).got(), Contains("40000>web PSH-ACK seq 1001 ack 5001 \"while it sleeps\""));
}

TEST_F(Tiers, a_standby_instance_that_leaves_the_table_has_its_flows_reset) {
  is_ready(0);
  opens(flow, 0);
  has_role(0, SlotRole::kStandby);
  removes(0);
  EXPECT_THAT(client.got(), ElementsAre("web>40000 RST seq 5001"));
}

}  // namespace
}  // namespace cheshire::test
