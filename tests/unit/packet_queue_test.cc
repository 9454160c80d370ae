// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/packet_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace cheshire {
namespace {

// The queue never looks into a packet: a number will do.
rte_mbuf* packet(uintptr_t number) {
  return reinterpret_cast<rte_mbuf*>(number);
}

TEST(PacketQueue, TakesExactlyItsCapacity) {
  PacketQueue queue;
  EXPECT_TRUE(queue.empty());
  for (uint32_t number = 1; number <= PacketQueue::kCapacity; ++number) {
    EXPECT_EQ(queue.room(), PacketQueue::kCapacity - number + 1);
    ASSERT_TRUE(queue.push(packet(number)));
  }
  EXPECT_EQ(queue.room(), 0U);
  EXPECT_FALSE(queue.push(packet(999)));
  EXPECT_EQ(queue.size(), PacketQueue::kCapacity);
  EXPECT_EQ(*queue.front(), packet(1));
}

TEST(PacketQueue, AgreesWithADequeAcrossItsEndAndInBursts) {
  std::mt19937 random(1);
  PacketQueue queue;
  std::deque<rte_mbuf*> model;
  uintptr_t next = 1;
  for (int operation = 0; operation < 100000; ++operation) {
    for (auto pushes = random() % 40; pushes > 0; --pushes, ++next) {
      ASSERT_EQ(queue.push(packet(next)), model.size() < PacketQueue::kCapacity);
      if (model.size() < PacketQueue::kCapacity) model.push_back(packet(next));
    }
    const uint32_t burst = queue.contiguous();
    ASSERT_LE(burst, queue.size());
    ASSERT_EQ(burst == 0, queue.empty());
    for (uint32_t at = 0; at < burst; ++at) ASSERT_EQ(queue.front()[at], model[at]);
    const uint32_t sent = burst == 0 ? 0 : static_cast<uint32_t>(random() % (burst + 1));
    queue.pop(sent);
    model.erase(model.begin(), model.begin() + sent);
    ASSERT_EQ(queue.size(), model.size());
    ASSERT_EQ(queue.room(), PacketQueue::kCapacity - model.size());
  }
}

}  // namespace
}  // namespace cheshire
