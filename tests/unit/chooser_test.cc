// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/chooser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "units.h"

namespace cheshire {
namespace {

using Outcome = Chooser::Outcome;
constexpr ServiceIndex kWeb{0};
constexpr ServiceIndex kApi{1};
constexpr uint64_t kLater = 1000 * kNsPerSecond;

// A chooser of two services, web on slots 0 to 7 and api on 8 to 15, and the flows that it was asked for.
class ChooserTest : public ::testing::Test {
 protected:
  ChooserTest() { configure(); }
  void configure() {
    chooser_.configure(kWeb, web_);
    chooser_.configure(kApi, api_);
  }
  void add(uint16_t slot, uint64_t ready_ns = 0) {
    const ServiceIndex service = slot < 8 ? kWeb : kApi;
    chooser_.begin(service, SlotIndex{slot});
    chooser_.add(service, SlotIndex{slot}, ready_ns);
  }
  void set_in_flight(uint16_t slot, uint32_t flows) {
    flows_[slot] = flows;
    chooser_.set_in_flight(SlotIndex{slot}, flows);
  }
  // What a new flow gets: "3", "paced", "full", "nobody". A chosen slot has the flow then.
  std::string opens(uint64_t now_ns = kLater, uint64_t hash = 0) {
    const Chooser::Choice choice = chooser_.choose(kWeb, hash, now_ns);
    switch (choice.outcome) {
      case Outcome::kChosen:
        set_in_flight(choice.slot.value, flows_[choice.slot.value] + 1);
        return std::to_string(choice.slot.value);
      case Outcome::kPaced:
        return "paced";
      case Outcome::kFull:
        return "full";
      case Outcome::kNobody:
        return "nobody";
    }
    return "?";
  }
  std::string opens(int times, uint64_t now_ns) {
    std::string all;
    for (int i = 0; i < times; ++i) all += (all.empty() ? "" : " ") + opens(now_ns);
    return all;
  }

  SteeringService web_{.in_flight_soft = 20};
  SteeringService api_;
  Chooser chooser_{2, 16};
  std::map<uint16_t, uint32_t> flows_;
};

// ---- least

TEST_F(ChooserTest, nobody_is_there_at_first) {
  EXPECT_EQ(opens(), "nobody");
  EXPECT_FALSE(chooser_.has_members(kWeb));
}

TEST_F(ChooserTest, least_takes_the_emptiest_and_the_first_among_equals) {
  for (const uint16_t slot : std::vector<uint16_t>{2, 0, 1}) add(slot);
  EXPECT_EQ(opens(7, kLater), "0 1 2 0 1 2 0");
  set_in_flight(2, 0);
  EXPECT_EQ(opens(3, kLater), "2 2 1");
}

TEST_F(ChooserTest, a_member_that_left_gets_nothing_and_may_come_back) {
  add(0);
  add(1);
  chooser_.remove(SlotIndex{0});
  EXPECT_EQ(opens(2, kLater), "1 1");
  chooser_.add(kWeb, SlotIndex{0}, 0);
  EXPECT_EQ(opens(), "0");
  chooser_.remove(SlotIndex{0});
  chooser_.remove(SlotIndex{1});
  EXPECT_EQ(opens(), "nobody");
}

TEST_F(ChooserTest, services_do_not_touch_each_other) {
  add(8);
  EXPECT_EQ(opens(), "nobody");
  EXPECT_EQ(chooser_.choose(kApi, 0, kLater).slot.value, 8U);
}

TEST_F(ChooserTest, least_is_the_least_of_all_whatever_happened_before) {
  std::mt19937 random(1);  // the seed makes it the same each time
  add(0);
  std::vector<bool> member(8, false);
  member[0] = true;
  for (int step = 0; step < 20'000; ++step) {
    const auto slot = static_cast<uint16_t>(random() % 8);
    switch (random() % 4) {
      case 0:
        if (!member[slot]) {
          if (flows_.contains(slot))
            chooser_.add(kWeb, SlotIndex{slot}, 0);
          else
            add(slot);
          flows_.try_emplace(slot, 0);
        } else {
          chooser_.remove(SlotIndex{slot});
        }
        member[slot] = !member[slot];
        break;
      default:
        if (flows_.contains(slot)) set_in_flight(slot, static_cast<uint32_t>(random() % 10));
    }
    int expected = -1;
    for (uint16_t i = 0; i < 8; ++i) {
      if (member[i] && (expected < 0 || flows_[i] < flows_[static_cast<uint16_t>(expected)])) expected = i;
    }
    const Chooser::Choice choice = chooser_.choose(kWeb, 0, kLater);
    ASSERT_EQ(choice.outcome == Outcome::kChosen ? choice.slot.value : -1, expected) << "step " << step;
  }
}

// ---- the hard limit

TEST_F(ChooserTest, nobody_gets_more_than_the_hard_limit) {
  web_.in_flight_hard = 2;
  configure();
  add(0);
  add(1);
  EXPECT_EQ(opens(6, kLater), "0 1 0 1 full full");
  set_in_flight(1, 1);
  EXPECT_EQ(opens(2, kLater), "1 full");
}

TEST_F(ChooserTest, a_limit_of_one_slot_binds_that_slot) {
  add(0);
  add(1);
  chooser_.set_limit(SlotIndex{0}, 1);
  EXPECT_EQ(opens(4, kLater), "0 1 1 1");
  chooser_.set_limit(SlotIndex{0}, 3);
  EXPECT_EQ(opens(2, kLater), "0 0");
  chooser_.set_limit(SlotIndex{1}, 0);
  EXPECT_EQ(chooser_.limit(SlotIndex{1}), 1U) << "an instance that may have no flow at all can never recover";
  EXPECT_EQ(opens(), "full");
}

TEST_F(ChooserTest, a_limit_below_what_is_in_flight_lets_the_flows_end) {
  add(0);
  set_in_flight(0, 5);
  chooser_.set_limit(SlotIndex{0}, 3);
  EXPECT_EQ(opens(), "full");
  set_in_flight(0, 3);
  EXPECT_EQ(opens(), "full");
  set_in_flight(0, 2);
  EXPECT_EQ(opens(), "0");
}

TEST_F(ChooserTest, a_new_hard_limit_holds_for_members_and_for_those_who_come) {
  add(0);
  set_in_flight(0, 5);
  web_.in_flight_hard = 4;
  configure();
  EXPECT_EQ(opens(), "full");
  add(1);
  EXPECT_EQ(opens(5, kLater), "1 1 1 1 full");
  web_.in_flight_hard = 0;
  configure();
  EXPECT_EQ(opens(), "1");
}

TEST_F(ChooserTest, the_next_instance_in_a_slot_begins_with_nothing) {
  add(0);
  chooser_.set_limit(SlotIndex{0}, 1);
  set_in_flight(0, 1);
  chooser_.remove(SlotIndex{0});
  flows_[0] = 0;
  add(0);
  EXPECT_EQ(opens(3, kLater), "0 0 0");
}

// ---- slow start

class SlowStart : public ChooserTest {
 protected:
  SlowStart() {
    web_.slow_start_ns = 100 * kNsPerMs;
    web_.slow_start_floor_percent = 10;
    configure();
  }
};

TEST_F(SlowStart, the_only_instance_gets_its_share_of_the_soft_limit_and_the_rest_waits) {
  add(0, 0);
  EXPECT_EQ(opens(3, 0), "0 0 paced") << "a tenth of 20";
  EXPECT_EQ(opens(2, 10 * kNsPerMs), "0 paced") << "19 percent";
  EXPECT_EQ(opens(9, 50 * kNsPerMs), "0 0 0 0 0 0 0 0 paced") << "55 percent";
  EXPECT_EQ(opens(30, 100 * kNsPerMs).find("paced"), std::string::npos) << "over: no limit but the hard one";
}

TEST_F(SlowStart, the_share_is_one_of_the_hard_limit_where_there_is_one) {
  web_.in_flight_hard = 50;
  configure();
  add(0, 0);
  EXPECT_EQ(opens(6, 0), "0 0 0 0 0 paced");
  set_in_flight(0, 50);
  EXPECT_EQ(opens(50 * kNsPerMs), "full") << "time alone will not help";
  EXPECT_EQ(opens(200 * kNsPerMs), "full");
}

TEST_F(SlowStart, a_share_is_one_flow_at_the_least) {
  web_.in_flight_soft = 1;
  configure();
  add(0, 0);
  EXPECT_EQ(opens(2, 0), "0 paced");
}

TEST_F(SlowStart, a_newcomer_weighs_its_flows_by_its_share) {
  add(0, 0);
  set_in_flight(0, 6);
  const uint64_t now = kLater;
  EXPECT_EQ(opens(now), "0");  // its ramp is over
  add(1, now);
  EXPECT_EQ(opens(4, now), "0 0 0 1") << "(0 + 1) / 0.1 = 10 against 8, 9, 10, 11";
  EXPECT_EQ(opens(2, now + 100 * kNsPerMs), "1 1") << "like any other now";
}

TEST_F(SlowStart, many_newcomers_all_get_some) {
  for (uint16_t slot = 0; slot < 8; ++slot) add(slot, 0);
  for (int i = 0; i < 16; ++i) static_cast<void>(opens(0));
  for (uint16_t slot = 0; slot < 8; ++slot) EXPECT_EQ(flows_[slot], 2U) << slot;
  EXPECT_EQ(opens(0), "paced");
}

TEST_F(SlowStart, a_newcomer_that_leaves_disturbs_nobody) {
  for (uint16_t slot = 0; slot < 4; ++slot) add(slot, 0);
  chooser_.remove(SlotIndex{1});
  chooser_.remove(SlotIndex{3});
  for (int i = 0; i < 4; ++i) static_cast<void>(opens(0));
  EXPECT_EQ(flows_[0], 2U);
  EXPECT_EQ(flows_[2], 2U);
  EXPECT_EQ(opens(0), "paced");
}

// ---- two choices

TEST_F(ChooserTest, two_choices_spread_thousands_of_flows_within_a_few) {
  web_.balance = Balance::kTwoChoices;
  configure();
  for (uint16_t slot = 0; slot < 8; ++slot) add(slot);
  std::mt19937_64 random(1);
  for (int i = 0; i < 8000; ++i) ASSERT_NE(opens(kLater, random()), "full");
  const auto [least, most] =
      std::minmax_element(flows_.begin(), flows_.end(), [](auto& a, auto& b) { return a.second < b.second; });
  EXPECT_LE(most->second - least->second, 10U) << "one choice alone would differ by about a hundred";
}

TEST_F(ChooserTest, two_choices_find_the_last_one_with_room) {
  web_.balance = Balance::kTwoChoices;
  web_.in_flight_hard = 3;
  configure();
  for (uint16_t slot = 0; slot < 8; ++slot) add(slot);
  std::mt19937_64 random(1);
  for (int i = 0; i < 24; ++i) ASSERT_NE(opens(kLater, random()), "full") << i;
  EXPECT_EQ(opens(kLater, random()), "full");
}

// ---- by hash

TEST_F(ChooserTest, by_hash_a_flow_stays_and_moves_only_if_its_own_member_goes) {
  for (uint16_t slot = 0; slot < 8; ++slot) add(slot);
  std::map<uint64_t, uint16_t> before;
  std::map<uint16_t, int> share;
  for (uint64_t i = 0; i < 4000; ++i) {
    const uint64_t hash = i * 0x9e3779b97f4a7c15ULL;
    before[hash] = chooser_.choose_by_hash(kWeb, hash, false).slot.value;
    ++share[before[hash]];
  }
  for (const auto& [slot, flows] : share) EXPECT_NEAR(flows, 500, 100) << "slot " << slot;
  chooser_.remove(SlotIndex{5});
  for (const auto& [hash, slot] : before) {
    const uint16_t now = chooser_.choose_by_hash(kWeb, hash, false).slot.value;
    ASSERT_NE(now, 5U);
    ASSERT_TRUE(slot == 5 || now == slot) << "from " << slot << " to " << now;
  }
}

TEST_F(ChooserTest, by_hash_one_that_drains_keeps_its_flows_and_gets_no_new_ones) {
  for (uint16_t slot = 0; slot < 8; ++slot) add(slot);
  const auto named = [&](uint64_t hash, bool begins) {
    return chooser_.choose_by_hash(kWeb, hash, begins).slot.value;
  };
  std::map<uint64_t, uint16_t> before;
  for (uint64_t i = 0; i < 4000; ++i)
    before[i * 0x9e3779b97f4a7c15ULL] = named(i * 0x9e3779b97f4a7c15ULL, true);
  for (const uint16_t slot : std::vector<uint16_t>{5, 2}) chooser_.retire(SlotIndex{slot});
  std::map<uint16_t, int> moved_to;
  for (const auto& [hash, slot] : before) {
    ASSERT_EQ(named(hash, false), slot) << "as before";
    const uint16_t fresh = named(hash, true);
    if (slot == 5 || slot == 2) {
      ++moved_to[fresh];
    } else {
      ASSERT_EQ(fresh, slot);
    }
  }
  EXPECT_EQ(moved_to.size(), 6U) << "spread over all that are left";
  EXPECT_FALSE(moved_to.contains(5) || moved_to.contains(2));
  // Back among the members, and one of them gone for good.
  chooser_.add(kWeb, SlotIndex{5}, 0);
  chooser_.remove(SlotIndex{2});
  for (const auto& [hash, slot] : before) {
    const uint16_t now = named(hash, true);
    ASSERT_TRUE(slot == 2 ? now != 2 : now == slot) << "from " << slot << " to " << now;
  }
  for (uint16_t slot = 0; slot < 8; ++slot) chooser_.retire(SlotIndex{slot});
  EXPECT_EQ(chooser_.choose_by_hash(kWeb, 1, true).outcome, Outcome::kNobody);
  EXPECT_EQ(chooser_.choose_by_hash(kWeb, 1, false).outcome, Outcome::kChosen);
}

TEST_F(ChooserTest, by_hash_whoever_comes_and_goes_only_their_own_flows_move) {
  std::mt19937 random(3);
  std::vector<uint16_t> in;
  std::vector<uint16_t> out = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto all_named = [&] {
    std::vector<uint16_t> named;
    for (uint64_t i = 0; i < 2000; ++i) {
      named.push_back(chooser_.choose_by_hash(kWeb, i * 0x9e3779b97f4a7c15ULL, false).slot.value);
    }
    return named;
  };
  add(out.back());
  in.push_back(out.back());
  out.pop_back();
  std::vector<uint16_t> before = all_named();
  for (int change = 0; change < 200; ++change) {
    const bool comes = in.size() == 1 || (!out.empty() && random() % 2 == 0);
    auto& from = comes ? out : in;
    auto& to = comes ? in : out;
    std::swap(from[random() % from.size()], from.back());
    const uint16_t slot = from.back();
    from.pop_back();
    to.push_back(slot);
    if (comes) {
      add(slot);
    } else {
      chooser_.remove(SlotIndex{slot});
    }
    const std::vector<uint16_t> after = all_named();
    std::map<uint16_t, int> share;
    for (size_t i = 0; i < after.size(); ++i) {
      ++share[after[i]];
      ASSERT_TRUE(after[i] == before[i] || (comes ? after[i] == slot : before[i] == slot)) << change;
    }
    for (const auto& [name, flows] : share) {
      ASSERT_NEAR(flows, 2000.0 / static_cast<double>(in.size()), 120)
          << "slot " << name << ", change " << change;
    }
    before = after;
  }
}

TEST_F(ChooserTest, by_hash_nobody_is_nobody) {
  EXPECT_EQ(chooser_.choose_by_hash(kWeb, 1, false).outcome, Outcome::kNobody);
  EXPECT_EQ(chooser_.choose_by_hash(kWeb, 1, true).outcome, Outcome::kNobody);
}

// ---- maglev: the table is given, here in the order of the slots

TEST_F(ChooserTest, maglev_follows_its_table_and_passes_over_those_without_room) {
  web_.balance = Balance::kMaglev;
  web_.in_flight_hard = 1;
  web_.maglev = std::make_shared<const MaglevTable>(
      MaglevTable{{SlotIndex{2}, SlotIndex{0}, SlotIndex{1}, SlotIndex{3}}});
  configure();
  for (const uint16_t slot : std::vector<uint16_t>{0, 1, 2}) add(slot);  // 3 is not ready
  const uint64_t second_entry = 0x50000000ULL << 32U;
  EXPECT_EQ(opens(kLater, second_entry), "0");
  EXPECT_EQ(opens(kLater, second_entry), "1");
  EXPECT_EQ(opens(kLater, second_entry), "2") << "3 is passed over, the table is a ring";
  EXPECT_EQ(opens(kLater, second_entry), "full");
}

}  // namespace
}  // namespace cheshire
