// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Whatever kinds of buffers were sent, each goes back to where it came from.
#include "dataplane/worker/sent_packets_inline.h"

#include <gtest/gtest.h>
#include <rte_mempool.h>

#include <vector>

#include "tests/support/dpdk.h"

namespace cheshire::test {
namespace {

class SentPacketsOfTwoPools : public testing::Test {
 protected:
  SentPacketsOfTwoPools()
      : in_use_before_(Dpdk::get().packets_in_use()),
        other_(rte_pktmbuf_pool_create("other", 511, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY)) {}
  ~SentPacketsOfTwoPools() override { rte_mempool_free(other_); }

  static rte_mbuf* fresh(rte_mempool* pool, uint16_t length = 60) {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool);
    EXPECT_NE(packet, nullptr);
    EXPECT_NE(rte_pktmbuf_append(packet, length), nullptr);
    return packet;
  }
  [[nodiscard]] rte_mempool* pool() { return Dpdk::get().pool(); }
  void send(std::vector<rte_mbuf*> packets) {
    sent_.add(packets.data(), static_cast<uint32_t>(packets.size()));
  }
  void expect_all_back() {
    sent_.free();
    EXPECT_EQ(Dpdk::get().packets_in_use(), in_use_before_);
    EXPECT_EQ(rte_mempool_in_use_count(other_), 0U);
  }

  uint32_t in_use_before_;
  rte_mempool* other_;
  SentPackets sent_;
};

TEST_F(SentPacketsOfTwoPools, TellHowManyBytesTheyAre) {
  const std::vector<rte_mbuf*> packets = {fresh(pool(), 60), fresh(pool(), 1500), fresh(pool(), 1)};
  EXPECT_EQ(sent_.add(packets.data(), 3), 1561U);
  EXPECT_EQ(sent_.add(packets.data(), 0), 0U);
  expect_all_back();
}

TEST_F(SentPacketsOfTwoPools, GoBackEachToItsOwnPool) {
  for (int round = 0; round < 3; ++round) {
    send({fresh(pool()), fresh(pool())});
    expect_all_back();
    send({fresh(pool()), fresh(other_), fresh(pool())});
    expect_all_back();
    send({fresh(other_)});
    send({fresh(other_), fresh(other_)});
    expect_all_back();
  }
}

TEST_F(SentPacketsOfTwoPools, StayWithWhoElseHoldsThem) {
  send({fresh(pool())});
  expect_all_back();
  rte_mbuf* held = fresh(pool());
  rte_mbuf_refcnt_update(held, 1);
  send({fresh(pool()), held, fresh(pool())});
  sent_.free();
  EXPECT_EQ(Dpdk::get().packets_in_use(), in_use_before_ + 1);
  EXPECT_EQ(rte_mbuf_refcnt_read(held), 1);
  rte_pktmbuf_free(held);
  expect_all_back();
}

TEST_F(SentPacketsOfTwoPools, GoBackWithAllTheirPieces) {
  send({fresh(pool())});
  expect_all_back();
  rte_mbuf* head = fresh(pool());
  ASSERT_EQ(rte_pktmbuf_chain(head, fresh(pool())), 0);
  send({head, fresh(pool())});
  expect_all_back();
}

TEST_F(SentPacketsOfTwoPools, GoBackWithTheBufferThatTheyBorrowed) {
  send({fresh(pool())});
  expect_all_back();
  rte_mbuf* lender = fresh(pool());
  rte_mbuf* borrower = rte_pktmbuf_alloc(pool());
  rte_pktmbuf_attach(borrower, lender);
  rte_pktmbuf_free(lender);  // the borrower holds it now
  send({borrower});
  expect_all_back();
}

TEST_F(SentPacketsOfTwoPools, AreFreedWhereTheyWouldNotFitAnyMore) {
  for (int batch = 0; batch < 5; ++batch) {
    std::vector<rte_mbuf*> packets;
    for (int i = 0; i < 100; ++i) packets.push_back(fresh(pool()));
    send(packets);
    EXPECT_LE(Dpdk::get().packets_in_use() - in_use_before_, SentPackets::kCapacity);
  }
  expect_all_back();
}

}  // namespace
}  // namespace cheshire::test
