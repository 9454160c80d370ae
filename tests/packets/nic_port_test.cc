// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Queues of the port for several workers: how many there are, and how the NIC is told to fill them.
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <rte_thash.h>

#include <set>

#include "check.h"
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

// A port with so many rings each way.
uint16_t port_with(const std::string& name, unsigned rx_queues, unsigned tx_queues) {
  std::vector<rte_ring*> rings;
  for (unsigned i = 0; i < std::max(rx_queues, tx_queues); ++i) {
    rings.push_back(rte_ring_create((name + std::to_string(i)).c_str(), 64, SOCKET_ID_ANY, 0));
    CHECK(rings.back() != nullptr);
  }
  const int port = rte_eth_from_rings(name.c_str(), rings.data(), rx_queues, rings.data(), tx_queues, 0);
  CHECK(port >= 0);
  return static_cast<uint16_t>(port);
}

NicPortOptions for_workers(uint16_t port, uint16_t workers) {
  return {.port_id = port,
          .rx_descriptors = 64,
          .tx_descriptors = 64,
          .pool = Dpdk::get().pool(),
          .workers = workers};
}

TEST(NicQueues, a_worker_without_a_receive_queue_gets_nothing_from_the_nic_and_sends_by_its_own) {
  static_cast<void>(Dpdk::get());
  auto nic = NicPort::start(for_workers(port_with("one_rx_", 1, 2), 2));
  ASSERT_TRUE(nic.ok()) << nic.error().what;
  EXPECT_EQ(nic.value().rx_queue_numbers(), std::vector<uint16_t>{0});
  rte_mbuf* packet = rte_pktmbuf_alloc(Dpdk::get().pool());
  EXPECT_EQ(nic.value().queue(1).transmit(&packet, 1), 1U);
  rte_mbuf* got = nullptr;
  EXPECT_EQ(nic.value().queue(1).receive(&got, 1), 0U);
  EXPECT_EQ(nic.value().queue(0).receive(&got, 1), 0U) << "what left by the second ring";
  EXPECT_NE(nic.value().description().find("1 rx queues for 2 workers"), std::string::npos)
      << nic.value().description();
  rte_pktmbuf_free(packet);  // it lies in the ring still
}

TEST(NicQueues, too_few_transmit_queues_are_an_error_with_a_remedy) {
  static_cast<void>(Dpdk::get());
  auto nic = NicPort::start(for_workers(port_with("one_tx_", 1, 1), 2));
  ASSERT_FALSE(nic.ok());
  EXPECT_NE(nic.error().what.find("has 1 transmit queues, and each of the 2 workers needs one; take fewer"),
            std::string::npos)
      << nic.error().what;
}

TEST(NicQueues, the_key_for_rss_gives_both_directions_of_a_connection_one_value_and_spreads_connections) {
  const uint8_t* const key = symmetric_rss_key().data();
  ASSERT_GE(symmetric_rss_key().size(), 52U) << "the longest that NICs take";
  std::set<uint32_t> values;
  for (uint32_t client = 0; client < 200; ++client) {
    const uint32_t ip = kClientIp.value() + 977 * client;
    const uint32_t ports = (40000 + client) << 16U | 80;
    std::array<uint32_t, 3> there{ip, kVip.value(), ports};
    std::array<uint32_t, 3> back{kVip.value(), ip, ports << 16U | ports >> 16U};
    EXPECT_EQ(rte_softrss(there.data(), there.size(), key), rte_softrss(back.data(), back.size(), key));
    values.insert(rte_softrss(there.data(), there.size(), key) % 128);
  }
  EXPECT_GT(values.size(), 64U) << "of the 128 entries that a table of queues has at the least";
}

}  // namespace
}  // namespace cheshire::test
