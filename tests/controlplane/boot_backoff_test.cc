// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/boot_backoff.h"

#include <gtest/gtest.h>

#include <vector>

namespace cheshire::test {
namespace {

constexpr uint64_t kNow = 100 * kNsPerSecond;

uint64_t delay_after(uint32_t failures) {
  BootBackoff backoff;
  for (uint32_t i = 0; i < failures; ++i) backoff.failed(kNow);
  for (uint64_t delay_ms = 0; delay_ms <= 10'000; ++delay_ms) {
    if (backoff.may_try(kNow + delay_ms * kNsPerMs)) return delay_ms;
  }
  return UINT64_MAX;
}

TEST(BootBackoffTest, without_a_failure_one_may_try_at_once) {
  const BootBackoff backoff;
  EXPECT_TRUE(backoff.may_try(0));
  EXPECT_FALSE(backoff.refusing(0));
}

TEST(BootBackoffTest, the_delay_doubles_and_is_bounded) {
  EXPECT_EQ(delay_after(1), 10U);
  EXPECT_EQ(delay_after(2), 20U);
  EXPECT_EQ(delay_after(3), 40U);
  EXPECT_EQ(delay_after(4), 80U);
  for (const uint32_t failures : {5U, 6U, 20U, 1000U}) EXPECT_EQ(delay_after(failures), 5000U) << failures;
}

TEST(BootBackoffTest, it_refuses_after_five_failures_until_the_next_try_is_due) {
  BootBackoff backoff;
  for (uint32_t i = 0; i < 4; ++i) backoff.failed(kNow);
  EXPECT_FALSE(backoff.refusing(kNow));
  backoff.failed(kNow);
  EXPECT_TRUE(backoff.refusing(kNow));
  EXPECT_TRUE(backoff.refusing(kNow + BootBackoff::kLongestDelayNs - 1));
  EXPECT_FALSE(backoff.refusing(kNow + BootBackoff::kLongestDelayNs)) << "half open: one may try";
  backoff.failed(kNow + BootBackoff::kLongestDelayNs);
  EXPECT_TRUE(backoff.refusing(kNow + BootBackoff::kLongestDelayNs));
}

TEST(BootBackoffTest, a_success_forgets_the_failures) {
  BootBackoff backoff;
  for (uint32_t i = 0; i < 9; ++i) backoff.failed(kNow);
  backoff.succeeded();
  EXPECT_EQ(backoff.failures(), 0U);
  EXPECT_TRUE(backoff.may_try(kNow));
  EXPECT_FALSE(backoff.refusing(kNow));
  backoff.failed(kNow);
  EXPECT_TRUE(backoff.may_try(kNow + BootBackoff::kFirstDelayNs));
}

}  // namespace
}  // namespace cheshire::test
