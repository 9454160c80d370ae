// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "counter.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "load_board.h"

namespace cheshire {
namespace {

TEST(Counter, CountsUpAndDown) {
  Counter counter;
  EXPECT_EQ(counter.get(), 0U);
  counter.add(5);
  counter.increment();
  EXPECT_EQ(counter.get(), 6U);
  counter.subtract(4);
  counter.decrement();
  EXPECT_EQ(counter.get(), 1U);
  counter.subtract(0);
  EXPECT_EQ(counter.get(), 1U);
  counter.set(99);
  EXPECT_EQ(counter.get(), 99U);
  EXPECT_EQ(counter.observe(), 99U);
}

TEST(Counter, WrapsLikeTheIntegerItIs) {
  Counter counter;
  counter.decrement();
  EXPECT_EQ(counter.get(), ~uint64_t{0});
  counter.increment();
  EXPECT_EQ(counter.get(), 0U);
}

TEST(Counter, AReaderSeesItGrowAndNeverTorn) {
  constexpr uint64_t kStep = 0x1'0000'0001;  // both halves change with every step
  constexpr uint64_t kSteps = 1'000'000;
  Counter counter;
  std::thread writer([&counter] {
    for (uint64_t step = 0; step < kSteps; ++step) counter.add(kStep);
  });
  uint64_t last = 0;
  uint64_t wrong = 0;
  while (last < kSteps * kStep) {
    const uint64_t now = counter.get();
    wrong += now < last || now % kStep != 0 ? 1 : 0;
    last = now;
    std::this_thread::yield();
  }
  writer.join();
  EXPECT_EQ(wrong, 0U);
}

TEST(Counter, WhatWasWrittenBeforePublishIsSeenAfterObserve) {
  constexpr uint64_t kItems = 20000;
  std::vector<uint64_t> items(kItems);
  Counter written;
  std::thread writer([&] {
    for (uint64_t index = 0; index < kItems; ++index) {
      items[index] = index + 1;
      written.publish(index + 1);
    }
  });
  uint64_t wrong = 0;
  for (uint64_t index = 0; index < kItems;) {
    const uint64_t end = written.observe();
    for (; index < end; ++index) wrong += items[index] == index + 1 ? 0 : 1;
    std::this_thread::yield();
  }
  writer.join();
  EXPECT_EQ(wrong, 0U);
}

TEST(LoadBoard, HasARowForEachSlotAndServiceOnCacheLinesOfItsOwn) {
  LoadBoard board(3, 2);
  EXPECT_EQ(board.slot_count(), 3U);
  EXPECT_EQ(board.service_count(), 2U);
  board.slot({1}).flows_opened.increment();
  board.service({1}).syns.add(2);
  EXPECT_EQ(board.slot({0}).flows_opened.get(), 0U);
  EXPECT_EQ(board.slot({1}).flows_opened.get(), 1U);
  EXPECT_EQ(board.service({1}).syns.get(), 2U);
  for (uint16_t slot = 0; slot < 3; ++slot) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(&board.slot({slot})) % 64, 0U);
  }
}

TEST(LoadBoardDeathTest, EndsTheProcessOutsideOfItsRows) {
  LoadBoard board(3, 2);
  EXPECT_DEATH((void)board.slot({3}), "CHECK");
  EXPECT_DEATH((void)board.service({2}), "CHECK");
}

}  // namespace
}  // namespace cheshire
