// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "spsc_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <random>
#include <span>
#include <thread>

#include "load_record.h"

namespace cheshire {
namespace {

TEST(SpscRing, GivesItemsInTheOrderTheyCame) {
  SpscRing<int> ring(4);
  for (int item = 1; item <= 3; ++item) EXPECT_TRUE(ring.push(item));
  int item = 0;
  for (int expected = 1; expected <= 3; ++expected) {
    ASSERT_TRUE(ring.pop(item));
    EXPECT_EQ(item, expected);
  }
}

TEST(SpscRing, IsEmptyAtFirstAndLeavesTheItemAlone) {
  SpscRing<int> ring(2);
  int item = 42;
  EXPECT_FALSE(ring.pop(item));
  EXPECT_EQ(item, 42);
}

TEST(SpscRing, TakesExactlyItsCapacityAndSaysWhenItIsFull) {
  for (const size_t capacity : {size_t{2}, size_t{8}, size_t{1024}}) {
    SpscRing<size_t> ring(capacity);
    EXPECT_EQ(ring.capacity(), capacity);
    for (size_t item = 0; item < capacity; ++item) ASSERT_TRUE(ring.push(item));
    EXPECT_FALSE(ring.push(capacity));
    EXPECT_FALSE(ring.push(capacity)) << "full again: nothing was overwritten";
    size_t item = 0;
    ASSERT_TRUE(ring.pop(item));
    EXPECT_EQ(item, 0U);
    EXPECT_TRUE(ring.push(capacity));
    EXPECT_FALSE(ring.push(capacity + 1));
    for (size_t expected = 1; expected <= capacity; ++expected) {
      ASSERT_TRUE(ring.pop(item));
      EXPECT_EQ(item, expected);
    }
    EXPECT_FALSE(ring.pop(item));
  }
}

TEST(SpscRing, AgreesWithADequeOverRandomOperations) {
  std::mt19937 random(1);
  SpscRing<uint32_t> ring(16);
  std::deque<uint32_t> model;
  for (uint32_t operation = 0; operation < 200000; ++operation) {
    // Long phases of filling and of emptying: full and empty are both met often.
    const bool filling = operation / 100 % 2 == 0;
    if (random() % 4 != 0 ? filling : !filling) {
      ASSERT_EQ(ring.push(operation), model.size() < 16);
      if (model.size() < 16) model.push_back(operation);
    } else {
      uint32_t item = 0;
      ASSERT_EQ(ring.pop(item), !model.empty());
      if (model.empty()) continue;
      ASSERT_EQ(item, model.front());
      model.pop_front();
    }
  }
}

TEST(SpscRing, TakesAndGivesSeveralAtOnceAsFarAsThereIsRoom) {
  SpscRing<int> ring(4);
  const std::array<int, 6> items{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(ring.push_some(std::span(items).first(3)), 3U);
  EXPECT_EQ(ring.push_some(std::span(items).subspan(3)), 1U) << "room for one of three";
  EXPECT_EQ(ring.push_some(items), 0U);
  std::array<int, 6> got{};
  EXPECT_EQ(ring.pop_some(std::span(got).first(2)), 2U);
  EXPECT_EQ(ring.push_some(std::span(items).subspan(4)), 2U) << "across the end of the memory";
  EXPECT_EQ(ring.pop_some(got), 4U);
  EXPECT_EQ(got, (std::array<int, 6>{3, 4, 5, 6, 0, 0}));
  EXPECT_EQ(ring.pop_some(got), 0U);
}

TEST(SpscRing, AgreesWithADequeOverRandomBursts) {
  std::mt19937 random(2);
  SpscRing<uint32_t> ring(16);
  std::deque<uint32_t> model;
  std::array<uint32_t, 20> burst{};
  uint32_t next = 0;
  for (uint32_t operation = 0; operation < 100000; ++operation) {
    const std::span<uint32_t> some = std::span(burst).first(random() % (burst.size() + 1));
    if (random() % 2 == 0) {
      for (uint32_t& item : some) item = next++;
      const size_t fits = std::min(some.size(), 16 - model.size());
      ASSERT_EQ(ring.push_some(some), fits);
      model.insert(model.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(fits));
    } else {
      const size_t count = ring.pop_some(some);
      ASSERT_EQ(count, std::min(some.size(), model.size()));
      for (const uint32_t item : some.first(count)) {
        ASSERT_EQ(item, model.front());
        model.pop_front();
      }
    }
  }
}

// Wide items, so that a torn one shows.
struct Item {
  std::array<uint64_t, 7> copies;
};

TEST(SpscRing, CarriesManyItemsFromThreadToThreadInOrderAndWhole) {
  constexpr uint64_t kItems = 1'000'000;
  SpscRing<Item> ring(64);
  std::thread producer([&ring] {
    for (uint64_t number = 1; number <= kItems; ++number) {
      Item item;
      item.copies.fill(number);
      while (!ring.push(item)) std::this_thread::yield();
    }
  });
  uint64_t wrong = 0;
  for (uint64_t expected = 1; expected <= kItems; ++expected) {
    Item item;
    while (!ring.pop(item)) std::this_thread::yield();
    for (const uint64_t copy : item.copies) wrong += copy == expected ? 0 : 1;
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
  Item item;
  EXPECT_FALSE(ring.pop(item));
}

TEST(SpscRing, CarriesLoadRecords) {
  SpscRing<LoadRecord> ring(2);
  ASSERT_TRUE(ring.push({.edge = LoadEdge::kReady, .slot = {3}, .flows_opened = 9}));
  LoadRecord record;
  ASSERT_TRUE(ring.pop(record));
  EXPECT_EQ(record.version, kLoadRecordVersion);
  EXPECT_EQ(record.edge, LoadEdge::kReady);
  EXPECT_EQ(record.slot.value, 3);
  EXPECT_EQ(record.flows_opened, 9U);
}

TEST(SpscRingDeathTest, EndsTheProcessWithACapacityThatIsNoPowerOfTwo) {
  EXPECT_DEATH(SpscRing<int>(0), "CHECK");
  EXPECT_DEATH(SpscRing<int>(1), "CHECK");
  EXPECT_DEATH(SpscRing<int>(12), "CHECK");
}

}  // namespace
}  // namespace cheshire
