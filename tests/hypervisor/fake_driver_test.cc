// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <gtest/gtest.h>

#include "hypervisor/fake/fake_driver.h"

namespace cheshire {
namespace {

constexpr InstanceId kFirst{{0}, {1}};
constexpr InstanceId kSecond{{1}, {1}};

BootOrder order_of(InstanceId id) {
  return {.id = id, .name = "fake"};
}

TEST(FakeDriver, SpawnsAfterTheScriptedDelayAndTellsWhenTheGuestIsUp) {
  FakeDriver driver;
  driver.script_default({.spawn_delay_ns = 10, .guest_up_after_ns = 30});
  uint64_t up_ns = 0;
  driver.on_guest_up = [&](const BootOrder& order, uint64_t time_ns) {
    EXPECT_EQ(order.id, kFirst);
    up_ns = time_ns;
  };
  driver.advance_to(100);
  driver.boot(order_of(kFirst));
  driver.advance_to(109);
  EXPECT_FALSE(driver.next_event());
  driver.advance_to(500);
  const auto event = driver.next_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, DriverEventKind::kSpawned);
  EXPECT_EQ(event->time_ns, 110U);
  EXPECT_EQ(up_ns, 140U);
  EXPECT_FALSE(driver.next_event());
  EXPECT_EQ(driver.running(), 1U);
}

TEST(FakeDriver, GivesABootItsOwnFateByOrdinal) {
  FakeDriver driver;
  driver.script_boot(1, {.spawn_delay_ns = 5, .start_failure = "qemu: no memory"});
  driver.boot(order_of(kFirst));
  driver.boot(order_of(kSecond));
  driver.advance_to(5);
  const auto event = driver.next_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, DriverEventKind::kExited);
  EXPECT_EQ(event->id, kSecond);
  EXPECT_EQ(event->reason, "qemu: no memory");
  EXPECT_EQ(driver.running(), 1U);
}

TEST(FakeDriver, NeverSpawnsWhenTheScriptSaysSoAndStopsAllTheSame) {
  FakeDriver driver;
  driver.script_default({.spawns = false, .stop_delay_ns = 7});
  driver.boot(order_of(kFirst));
  driver.advance_to(kNsPerSecond);
  EXPECT_FALSE(driver.next_event());
  driver.stop(kFirst);
  driver.advance_to(2 * kNsPerSecond);
  const auto event = driver.next_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, DriverEventKind::kExited);
  EXPECT_EQ(event->reason, "stopped");
  EXPECT_EQ(event->time_ns, kNsPerSecond + 7);
}

TEST(FakeDriver, DiesAfterTheScriptedTime) {
  FakeDriver driver;
  driver.script_default({.spawn_delay_ns = 10, .dies_after_ns = 20, .death_reason = "killed by signal 11"});
  driver.boot(order_of(kFirst));
  driver.advance_to(100);
  EXPECT_EQ(driver.next_event()->kind, DriverEventKind::kSpawned);
  const auto event = driver.next_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->time_ns, 30U);
  EXPECT_EQ(event->reason, "killed by signal 11");
}

TEST(FakeDriver, WhatDiesBeforeItsGuestIsUpStaysDead) {
  FakeDriver driver;
  driver.script_default({.spawn_delay_ns = 1, .guest_up_after_ns = 50, .dies_after_ns = 10});
  driver.on_guest_up = [](const BootOrder&, uint64_t) { FAIL() << "it is dead"; };
  driver.boot(order_of(kFirst));
  driver.advance_to(200);
  EXPECT_EQ(driver.running(), 0U);
}

TEST(FakeDriver, TellsOneExitWhenAStopMeetsADeath) {
  FakeDriver driver;
  driver.script_default({.spawn_delay_ns = 0, .dies_after_ns = 20, .stop_delay_ns = 50});
  driver.boot(order_of(kFirst));
  driver.advance_to(10);
  driver.stop(kFirst);
  driver.stop(kFirst);
  driver.advance_to(1000);
  driver.stop(kFirst);
  EXPECT_EQ(driver.next_event()->kind, DriverEventKind::kSpawned);
  const auto event = driver.next_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->reason, "stopped");
  EXPECT_EQ(event->time_ns, 60U);
  EXPECT_FALSE(driver.next_event());
  EXPECT_EQ(driver.stops().size(), 3U);
  EXPECT_EQ(driver.running(), 0U);
}

TEST(FakeDriver, CrashesAnInstanceOnDemandAndLetsItsSlotBootAgain) {
  FakeDriver driver;
  driver.boot(order_of(kFirst));
  driver.advance_to(kNsPerSecond);
  driver.crash(kFirst);
  driver.crash(kFirst);
  driver.boot(order_of(kFirst));
  EXPECT_EQ(driver.next_event()->kind, DriverEventKind::kSpawned);
  EXPECT_EQ(driver.next_event()->reason, "killed by signal 9");
  EXPECT_FALSE(driver.next_event());
  EXPECT_EQ(driver.boots().size(), 2U);
}

TEST(FakeDriver, FollowsAnInjectedClock) {
  uint64_t now_ns = 0;
  FakeDriver driver([&] { return now_ns; });
  driver.script_default({.spawn_delay_ns = 10});
  now_ns = 5;
  driver.boot(order_of(kFirst));
  EXPECT_EQ(driver.boots().at(0).time_ns, 5U);
  EXPECT_EQ(driver.next_due_ns(), 15U);
  EXPECT_FALSE(driver.next_event());
  now_ns = 15;
  EXPECT_TRUE(driver.next_event());
}

TEST(FakeDriver, LetsTheHookStopTheInstanceThatCameUp) {
  FakeDriver driver;
  driver.on_guest_up = [&](const BootOrder& order, uint64_t) { driver.stop(order.id); };
  driver.boot(order_of(kFirst));
  driver.advance_to(kNsPerSecond);
  EXPECT_EQ(driver.next_event()->kind, DriverEventKind::kSpawned);
  EXPECT_EQ(driver.next_event()->reason, "stopped");
}

}  // namespace
}  // namespace cheshire
