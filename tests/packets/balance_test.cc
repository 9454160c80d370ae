// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which instance a new flow goes to, as clients and guests see it. The rule by itself:
// tests/unit/chooser_test.
#include "controlplane/fleet/maglev.h"
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class BalanceTest : public WorkerTest {
 protected:
  // The slot that this client's SYN went to, or -1; the answer is given.
  int goes_to(const Flow& flow) {
    client.sends(flow.syn());
    for (uint16_t slot = 0; slot < kSlots; ++slot) {
      if (generation(slot).value == 0 || guest(slot).got().empty()) continue;
      guest(slot).sends(flow.syn_ack());
      static_cast<void>(client.got());
      return slot;
    }
    return -1;
  }
};

TEST_F(BalanceTest, above_the_hard_limit_a_syn_waits_until_a_flow_ends) {
  service(kWeb).in_flight_hard = 2;
  is_ready(0);
  const Flow first{.port = 1};
  EXPECT_EQ(goes_to(first), 0);
  EXPECT_EQ(goes_to(Flow{.port = 2}), 0);
  EXPECT_EQ(goes_to(Flow{.port = 3}), -1);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  EXPECT_EQ(load(0).in_flight.get(), 2U);
  client.sends(first.rst());
  EXPECT_THAT(guest(0).got(), ElementsAre("1>web RST seq 1001", "3>web SYN seq 1000"));
  EXPECT_EQ(load(0).in_flight.get(), 2U);
}

TEST_F(BalanceTest, who_waited_longer_goes_first) {
  service(kWeb).in_flight_hard = 1;
  is_ready(0);
  const Flow first{.port = 1};
  EXPECT_EQ(goes_to(first), 0);
  client.sends(Flow{.port = 2}.syn());
  // In one burst: the reset that makes room, and a newcomer.
  client.sends(first.rst(), Flow{.port = 3}.syn());
  EXPECT_THAT(guest(0).got(), ElementsAre("1>web RST seq 1001", "2>web SYN seq 1000"));
}

TEST_F(BalanceTest, a_new_instance_is_given_waiting_syns_at_the_pace_of_its_slow_start) {
  service(kWeb).slow_start_ns = 100 * kNsPerMs;
  service(kWeb).slow_start_floor_percent = 10;
  service(kWeb).in_flight_soft = 10;
  service(kWeb).hold_syns_max = 32;
  publish();
  for (uint16_t port = 1; port <= 12; ++port) client.sends(Flow{.port = port}.syn());
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("1>web SYN seq 1000"));
  guest(0).sends(Flow{.port = 1}.syn_ack());
  EXPECT_THAT(guest(0).got(), IsEmpty()) << "a tenth of 10 is the one that it has";
  advance(50 * kNsPerMs);
  EXPECT_EQ(guest(0).got().size(), 4U) << "55 percent, less the one";
  advance(60 * kNsPerMs);
  EXPECT_EQ(guest(0).got().size(), 7U) << "the rest";
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 0U);
}

TEST_F(BalanceTest, with_maglev_a_client_port_keeps_its_instance) {
  service(kWeb).balance = Balance::kMaglev;
  service(kWeb).maglev =
      std::make_shared<const MaglevTable>(build_maglev(std::vector<SlotIndex>{{0}, {1}, {2}}));
  for (uint16_t slot = 0; slot < 3; ++slot) is_ready(slot);
  std::vector<int> first_time;
  for (uint16_t port = 1; port <= 30; ++port) first_time.push_back(goes_to(Flow{.port = port}));
  for (const int slot : {0, 1, 2}) EXPECT_GT(std::count(first_time.begin(), first_time.end(), slot), 2);
  for (uint16_t port = 1; port <= 30; ++port) {
    client.sends(Flow{.port = port}.rst());
    for (uint16_t slot = 0; slot < 3; ++slot) static_cast<void>(guest(slot).got());
  }
  advance(11 * kNsPerSecond);  // the entries are forgotten
  ASSERT_EQ(board().worker(0).flows.get(), 0U);
  for (uint16_t port = 1; port <= 30; ++port) {
    EXPECT_EQ(goes_to(Flow{.port = port}), first_time[port - 1U]) << port;
  }
}

}  // namespace
}  // namespace cheshire::test
