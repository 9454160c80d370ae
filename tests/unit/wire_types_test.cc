// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// be16, be32, FlowKey, DropReason and units: the small types that everything else is made of.
#include <gtest/gtest.h>

#include <cctype>
#include <cstring>
#include <set>
#include <string_view>
#include <type_traits>

#include "be.h"
#include "dataplane/packet/flow_key.h"
#include "drop_reason.h"
#include "units.h"

namespace cheshire {
namespace {

static_assert(!std::is_convertible_v<be16, uint16_t> && !std::is_convertible_v<uint16_t, be16>);
static_assert(!std::is_convertible_v<be32, uint32_t> && !std::is_convertible_v<uint32_t, be32>);
static_assert(be16(0x1234).value() == 0x1234 && be32(0x12345678).value() == 0x12345678);
static_assert(!std::is_convertible_v<ServiceIndex, SlotIndex>);

TEST(BigEndian, LiesInMemoryMostSignificantByteFirst) {
  const be16 port(0x1f90);
  const be32 address(0xc000020a);
  EXPECT_EQ(std::memcmp(&port, "\x1f\x90", 2), 0);
  EXPECT_EQ(std::memcmp(&address, "\xc0\x00\x02\x0a", 4), 0);
}

TEST(BigEndian, GoesThroughItsRawFormUnchanged) {
  for (uint32_t value = 0; value < 65536; ++value) {
    const be16 number(static_cast<uint16_t>(value));
    ASSERT_EQ(be16::from_raw(number.raw()), number);
    ASSERT_EQ(number.value(), value);
  }
  EXPECT_EQ(be32::from_raw(be32(0x12345678).raw()).value(), 0x12345678U);
  EXPECT_EQ(be32().value(), 0U);
}

TEST(FlowKey, IsEqualExactlyWhenEveryFieldIs) {
  const FlowKey key{be32(1), be16(2), {3}};
  EXPECT_EQ(key, (FlowKey{be32(1), be16(2), {3}}));
  EXPECT_FALSE(key == (FlowKey{be32(9), be16(2), {3}}));
  EXPECT_FALSE(key == (FlowKey{be32(1), be16(9), {3}}));
  EXPECT_FALSE(key == (FlowKey{be32(1), be16(2), {9}}));
}

TEST(DropReason, HasADistinctNameOfLowerCaseLetters) {
  std::set<std::string_view> names;
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    const std::string_view name = to_string(static_cast<DropReason>(reason));
    EXPECT_TRUE(names.insert(name).second) << name;
    for (const char c : name) EXPECT_TRUE(std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_') << name;
  }
  EXPECT_EQ(to_string(DropReason::k_truncated_ethernet), "truncated_ethernet");
  EXPECT_EQ(static_cast<size_t>(DropReason::k_shutdown) + 1, kDropReasons);
}

TEST(MonotonicClock, NeverGoesBack) {
  uint64_t last_ns = monotonic_ns();
  EXPECT_GT(last_ns, 0U);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t now_ns = monotonic_ns();
    ASSERT_GE(now_ns, last_ns);
    last_ns = now_ns;
  }
}

}  // namespace
}  // namespace cheshire
