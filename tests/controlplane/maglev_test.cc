// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace cheshire::test {
namespace {

std::vector<SlotIndex> slots(uint16_t first, uint16_t count) {
  std::vector<SlotIndex> made;
  for (uint16_t i = 0; i < count; ++i) made.push_back(SlotIndex{static_cast<uint16_t>(first + i)});
  return made;
}

std::map<uint16_t, size_t> shares(const MaglevTable& table) {
  std::map<uint16_t, size_t> found;
  for (const SlotIndex slot : table.slots) ++found[slot.value];
  return found;
}

class MaglevShares : public ::testing::TestWithParam<uint16_t> {};

TEST_P(MaglevShares, differ_by_one_at_the_most) {
  const MaglevTable table = build_maglev(slots(3, GetParam()));
  const auto found = shares(table);
  ASSERT_EQ(found.size(), GetParam());
  const auto by_share = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [least, most] = std::minmax_element(found.begin(), found.end(), by_share);
  EXPECT_LE(most->second - least->second, 1U);
  EXPECT_GE(table.slots.size(), 100U * GetParam());
}
INSTANTIATE_TEST_SUITE_P(of, MaglevShares, ::testing::Values(1, 2, 7, 8, 100, 500, 1000));

TEST(Maglev, nobody_makes_an_empty_table) {
  EXPECT_TRUE(build_maglev({}).slots.empty());
}

TEST(Maglev, the_same_members_make_the_same_table) {
  EXPECT_EQ(build_maglev(slots(0, 8)).slots, build_maglev(slots(0, 8)).slots);
}

TEST(Maglev, a_member_that_goes_leaves_nearly_all_others_where_they_were) {
  const MaglevTable before = build_maglev(slots(0, 8));
  std::vector<SlotIndex> seven = slots(0, 8);
  seven.erase(seven.begin() + 3);
  const MaglevTable after = build_maglev(seven);
  ASSERT_EQ(before.slots.size(), after.slots.size());
  size_t moved = 0;
  size_t kept = 0;
  for (size_t i = 0; i < before.slots.size(); ++i) {
    if (before.slots[i] == SlotIndex{3}) continue;
    ++(before.slots[i] == after.slots[i] ? kept : moved);
  }
  // Hashing modulo the number of members would move seven of eight. The paper has a few percent.
  EXPECT_LT(moved * 10, kept) << moved << " moved, " << kept << " kept";
}

TEST(Maglev, tables_are_made_anew_only_for_other_members) {
  MaglevTables tables;
  const auto first = tables.table({1}, slots(0, 4));
  EXPECT_EQ(tables.table({1}, slots(0, 4)), first);
  EXPECT_NE(tables.table({1}, slots(0, 5)), first);
  EXPECT_NE(tables.table({0}, slots(0, 5)), tables.table({1}, slots(0, 5)));
}

}  // namespace
}  // namespace cheshire::test
