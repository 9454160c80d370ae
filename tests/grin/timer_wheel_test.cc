// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/timer_wheel.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace cheshire::grin {
namespace {

constexpr uint64_t kTickUs = uint64_t{1} << TimerWheel::kTickShift;

class TimerWheelTest : public testing::Test {
 protected:
  TimerWheelTest() { wheel_.init(links_, entries_); }

  TimerWheel wheel_;
  std::vector<IndexLink> links_ = std::vector<IndexLink>(200);
  std::vector<TimerWheel::Entry> entries_ = std::vector<TimerWheel::Entry>(200);
};

TEST_F(TimerWheelTest, nothing_armed_means_no_deadline) {
  EXPECT_EQ(wheel_.next_deadline_us(), ~uint64_t{0});
  EXPECT_EQ(wheel_.pop_expired(1'000'000'000), kNoIndex);
}

TEST_F(TimerWheelTest, a_timer_fires_within_a_tick_after_its_deadline) {
  wheel_.arm(5, 100'000);
  EXPECT_EQ(wheel_.pop_expired(99'999), kNoIndex);
  const uint64_t due_us = wheel_.next_deadline_us();
  EXPECT_GE(due_us, 100'000U);
  EXPECT_LE(due_us, 100'000U + kTickUs);
  EXPECT_EQ(wheel_.pop_expired(due_us), 5);
  EXPECT_EQ(wheel_.pop_expired(due_us), kNoIndex);
}

TEST_F(TimerWheelTest, a_later_deadline_leaves_the_timer_where_it_is) {
  wheel_.arm(5, 100'000);
  const uint64_t due_us = wheel_.next_deadline_us();
  wheel_.arm(5, 900'000);
  EXPECT_EQ(wheel_.next_deadline_us(), due_us);
}

TEST_F(TimerWheelTest, an_earlier_deadline_moves_it) {
  wheel_.arm(5, 900'000);
  wheel_.arm(5, 100'000);
  EXPECT_LE(wheel_.next_deadline_us(), 100'000U + kTickUs);
}

TEST_F(TimerWheelTest, a_cancelled_timer_does_not_fire) {
  wheel_.arm(5, 100'000);
  wheel_.arm(6, 100'000);
  wheel_.cancel(5);
  EXPECT_EQ(wheel_.pop_expired(200'000), 6);
  EXPECT_EQ(wheel_.pop_expired(200'000), kNoIndex);
  wheel_.cancel(5);
  EXPECT_EQ(wheel_.next_deadline_us(), ~uint64_t{0});
}

// Owners keep their real deadline and re-arm when asked early, as Tcp does.
TEST_F(TimerWheelTest, a_thousand_random_timers_fire_in_time) {
  std::mt19937_64 random(1);
  std::vector<uint64_t> deadlines(200, 0);
  uint64_t now_us = 0;
  size_t fired = 0;
  while (fired < 1000) {
    const auto owner = static_cast<Index>(1 + random() % 199);
    if (deadlines[owner] == 0) {
      deadlines[owner] = now_us + random() % 20'000'000;  // beyond the horizon, too
      wheel_.arm(owner, deadlines[owner]);
    }
    now_us += random() % 50'000;
    for (Index id = wheel_.pop_expired(now_us); id != kNoIndex; id = wheel_.pop_expired(now_us)) {
      ASSERT_NE(deadlines[id], 0U);
      if (deadlines[id] > now_us) {
        wheel_.arm(id, deadlines[id]);
        continue;
      }
      deadlines[id] = 0;
      ++fired;
    }
    for (const uint64_t deadline_us : deadlines) {
      if (deadline_us != 0) {
        ASSERT_GT(deadline_us + kTickUs, now_us);
      }
    }
  }
}

}  // namespace
}  // namespace cheshire::grin
