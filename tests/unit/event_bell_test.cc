// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/event_bell.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "spsc_ring.h"

namespace cheshire {
namespace {

// Waits for `longest_ms` at the most; whether the bell could be heard.
bool hears(const EventBell& bell, int longest_ms) {
  pollfd heard{.fd = bell.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&heard, 1, longest_ms) == 1;
}

TEST(EventBell, rung_while_nobody_sleeps_it_says_nothing) {
  EventBell bell;
  bell.ring();
  EXPECT_FALSE(hears(bell, 0));
}

TEST(EventBell, who_has_work_does_not_wait) {
  EventBell bell;
  bool waited = false;
  bell.sleep([] { return true; }, [&] { waited = true; });
  EXPECT_FALSE(waited);
}

TEST(EventBell, rung_once_or_twice_it_wakes_once) {
  EventBell bell;
  const auto nothing = [] { return false; };
  bell.sleep(nothing, [&] {
    bell.ring();
    bell.ring();
    EXPECT_TRUE(hears(bell, 0));
  });
  bell.sleep(nothing, [&] { EXPECT_FALSE(hears(bell, 0)); });
}

TEST(EventBell, no_item_is_missed_by_who_sleeps_after_each) {
  constexpr int kItems = 20'000;
  EventBell bell;
  SpscRing<int> ring(16);
  std::thread giver([&] {
    for (int item = 0; item < kItems; ++item) {
      while (!ring.push(item)) std::this_thread::yield();
      bell.ring();
    }
  });
  int taken = 0;
  bool missed = false;
  while (taken < kItems && !missed) {
    bell.sleep([&] { return !ring.empty(); }, [&] { missed = !hears(bell, 10'000); });
    for (int item = 0; ring.pop(item); ++taken) EXPECT_EQ(item, taken);
  }
  EXPECT_FALSE(missed);
  giver.join();
}

}  // namespace
}  // namespace cheshire
