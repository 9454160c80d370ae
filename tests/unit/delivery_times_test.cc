// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/port/delivery_times.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace cheshire {
namespace {

constexpr uint64_t kResolution = 100;

TEST(DeliveryTimes, ThePacketThatWaitsHasTheTimeOfItsDelivery) {
  DeliveryTimes times(kResolution);
  times.delivered(3, 1000);
  times.delivered(2, 5000);
  EXPECT_EQ(times.total(), 5U);
  EXPECT_EQ(times.newest_time(), 5000U);
  EXPECT_EQ(times.time_of(0), 1000U);
  EXPECT_EQ(times.time_of(2), 1000U);
  EXPECT_EQ(times.time_of(3), 5000U) << "the first three are consumed";
  EXPECT_EQ(times.time_of(4), 5000U);
}

TEST(DeliveryTimes, WithinTheResolutionPacketsAreOneMark) {
  DeliveryTimes times(kResolution);
  times.delivered(1, 1000);
  times.delivered(1, 1000 + kResolution - 1);
  times.delivered(1, 1000 + kResolution);
  EXPECT_EQ(times.time_of(1), 1000U);
  EXPECT_EQ(times.time_of(2), 1000 + kResolution);
}

TEST(DeliveryTimes, WhatIsOlderThanAllMarksHasTheTimeOfTheOldest) {
  DeliveryTimes times(kResolution);
  for (uint64_t i = 1; i <= 1000; ++i) times.delivered(1, i * kResolution);
  EXPECT_EQ(times.time_of(999), 1000 * kResolution);
  const uint64_t oldest = times.time_of(0);
  EXPECT_GT(oldest, 700 * kResolution);
  EXPECT_LT(oldest, 800 * kResolution) << "256 marks are kept";
}

TEST(DeliveryTimes, ForgottenTheyBeginAnew) {
  DeliveryTimes times(kResolution);
  times.delivered(7, 1000);
  times.forget();
  EXPECT_EQ(times.total(), 0U);
  EXPECT_EQ(times.newest_time(), 0U);
  times.delivered(1, 9000);
  EXPECT_EQ(times.time_of(0), 9000U);
}

// The same by a list of all packets: never too young, too old by the resolution at most.
TEST(DeliveryTimes, AgreeWithAListOfAllPackets) {
  std::mt19937_64 random(1);
  DeliveryTimes times(kResolution);
  std::deque<uint64_t> waiting;
  uint64_t now = 1;
  uint64_t consumed = 0;
  for (int step = 0; step < 20'000; ++step) {
    now += random() % (kResolution / 2);
    const auto count = static_cast<uint16_t>(random() % 4);
    if (count != 0) times.delivered(count, now);
    waiting.insert(waiting.end(), count, now);
    for (uint64_t left = random() % 4; left > 0 && !waiting.empty(); --left) {
      waiting.pop_front();
      ++consumed;
    }
    while (waiting.size() > 400) {  // what the marks hold at this pace
      waiting.pop_front();
      ++consumed;
    }
    if (waiting.empty()) continue;
    ASSERT_LE(times.time_of(consumed), waiting.front()) << "step " << step;
    ASSERT_LT(waiting.front() - times.time_of(consumed), kResolution) << "step " << step;
  }
}

}  // namespace
}  // namespace cheshire
