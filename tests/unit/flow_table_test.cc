// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/flow_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "tests/support/flow_table_twin.h"

namespace cheshire {
namespace {

using namespace test;

constexpr HashKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

TEST(FlowTable, FindsWhatWasInsertedAndNothingElse) {
  FlowTable table(64, kKey);
  EXPECT_EQ(table.find(flow_key(1)), nullptr);
  FlowEntry* entry = table.insert(flow_key(1));
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(table.find(flow_key(1)), entry);
  EXPECT_EQ(table.find(flow_key(2)), nullptr);
  EXPECT_EQ(table.size(), 1U);
  table.erase(entry);
  EXPECT_EQ(table.find(flow_key(1)), nullptr);
  EXPECT_EQ(table.size(), 0U);
}

TEST(FlowTable, KeepsApartKeysThatDifferInOneFieldOnly) {
  FlowTable table(64, kKey);
  const FlowKey key{be32(0xc6336407), be16(40000), {3}};
  ASSERT_NE(table.insert(key), nullptr);
  EXPECT_EQ(table.find({be32(0xc6336408), be16(40000), {3}}), nullptr);
  EXPECT_EQ(table.find({be32(0xc6336407), be16(40001), {3}}), nullptr);
  EXPECT_EQ(table.find({be32(0xc6336407), be16(40000), {4}}), nullptr);
}

TEST(FlowTable, HoldsTheKeyOfAllZeros) {
  FlowTable table(8, {});
  EXPECT_EQ(table.find({}), nullptr);
  ASSERT_NE(table.insert({}), nullptr);
  EXPECT_NE(table.find({}), nullptr);
}

TEST(FlowTable, RoundsItsLimitUpToAPowerOfTwo) {
  for (const auto& [asked, made] :
       std::map<size_t, size_t>{{1, 1}, {2, 2}, {3, 4}, {65, 128}, {4096, 4096}}) {
    EXPECT_EQ(FlowTable(asked, kKey).flows_max(), made);
  }
}

// The promise of the header, for every size and with room for bad luck: 20 seeds of keys and hash key.
TEST(FlowTable, TakesAsManyRandomFlowsAsPromisedAndNotOneMore) {
  std::mt19937_64 random(1);
  for (size_t flows_max = 1; flows_max <= 65536; flows_max *= 2) {
    for (int seed = 0; seed < 20; ++seed) {
      FlowTable table(flows_max, {random(), random()});
      for (size_t flows = 0; flows < flows_max;) {
        const FlowKey key = flow_key(random());
        if (table.find(key) != nullptr) continue;
        ASSERT_NE(table.insert(key), nullptr) << flows << " of " << flows_max;
        ++flows;
      }
      EXPECT_EQ(table.insert(flow_key(random())), nullptr);
      EXPECT_EQ(table.size(), flows_max);
      size_t standing =
          0;  // a hash whose tag bits are all zero must not make an entry look like a free place
      (void)table.sweep(0, table.bucket_count(), [&standing](FlowEntry&) { ++standing; });
      EXPECT_EQ(standing, flows_max);
    }
  }
}

// As clients make them: a few addresses, ports one after the other.
TEST(FlowTable, TakesAsManyNeighbouringFlowsAsPromised) {
  FlowTable table(65536, kKey);
  for (uint16_t client = 0; client < 4; ++client) {
    for (uint32_t port = 0; port < 16384; ++port) {
      const FlowKey key{be32(0x0a000000U + client), be16(static_cast<uint16_t>(32768 + port)), {0}};
      ASSERT_NE(table.insert(key), nullptr);
    }
  }
  EXPECT_EQ(table.size(), 65536U);
}

TEST(FlowTable, TakesAFlowAgainAfterOneEnded) {
  FlowTableTwin twin(64, kKey);
  for (uint64_t number = 0; number < 64; ++number) ASSERT_TRUE(twin.insert(flow_key(number)));
  EXPECT_FALSE(twin.insert(flow_key(64)));
  twin.erase(flow_key(17));
  EXPECT_TRUE(twin.insert(flow_key(64)));
  EXPECT_FALSE(twin.insert(flow_key(65)));
  twin.check_all();
}

TEST(FlowTable, NeverMovesAnEntry) {
  std::mt19937_64 random(2);
  FlowTable table(1024, kKey);
  std::vector<std::pair<FlowKey, FlowEntry*>> entries;
  for (int i = 0; i < 1000; ++i) {
    const FlowKey key = flow_key(random());
    entries.emplace_back(key, table.insert(key));
  }
  for (size_t i = 0; i < entries.size(); i += 2) table.erase(entries[i].second);
  for (size_t i = 1; i < entries.size(); i += 2) EXPECT_EQ(table.find(entries[i].first), entries[i].second);
}

// Room for keys that a client chose: it knows the algorithm, but not the key.
TEST(FlowTable, SpreadsKeysDifferentlyUnderAnotherHashKey) {
  FlowTable known(65536, kKey);
  FlowTable secret(65536, {kKey.k0 + 1, kKey.k1});
  size_t same = 0;
  for (uint64_t number = 0; number < 10000; ++number) {
    const size_t here = known.index_of(known.insert(flow_key(number))) / FlowTable::kStride;
    const size_t there = secret.index_of(secret.insert(flow_key(number))) / FlowTable::kStride;
    same += here == there ? 1 : 0;
  }
  EXPECT_LT(same, 20U);  // about two by chance: 10,000 over 4,096 buckets
}

TEST(FlowTable, AgreesWithAMapOverRandomOperations) {
  for (const size_t flows_max : {size_t{1}, size_t{8}, size_t{16}, size_t{100}, size_t{1000}}) {
    std::mt19937_64 random(flows_max);
    FlowTableTwin twin(flows_max, {random(), random()});
    // Twice as many keys as places: full is met often.
    const auto any_key = [&] { return flow_key((random() % (2 * flows_max + 2)) * 0x9e3779b97f4a7c15ULL); };
    for (int operation = 0; operation < 50000; ++operation) {
      const uint64_t choice = random() % 100;
      if (choice < 45) twin.insert(any_key());
      if (choice >= 45 && choice < 70) twin.find(any_key());
      if (choice >= 70 && choice < 97) twin.erase(any_key());
      if (choice >= 97) twin.sweep(1 + random() % 4, [&](const FlowKey&) { return random() % 8 == 0; });
      if (operation % 5000 == 0) twin.check_all();
    }
    twin.check_all();
  }
}

// Two buckets of 31: one of them is full at once, and its flows stand in the other.
TEST(FlowTable, FindsFlowsInTheirSecondBucketWhileThePlacesBecomeFree) {
  std::mt19937_64 random(5);
  FlowTable small(32, kKey);
  std::vector<FlowKey> keys;
  // All of one bucket, and one more.
  while (keys.size() < FlowTable::kWays + 1) {
    const FlowKey key = flow_key(random());
    if (small.place(key).bucket == 0) keys.push_back(key);
  }
  for (const FlowKey& key : keys) ASSERT_NE(small.insert(key), nullptr);
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_NE(small.find(keys[i]), nullptr);
    small.erase(small.find(keys[i]));
    for (size_t j = 0; j < keys.size(); ++j) EXPECT_EQ(small.find(keys[j]) != nullptr, j > i);
  }
}

// What is asked about in bulk may have changed meanwhile: the candidate is a guess, the answer is not.
TEST(FlowTable, ACandidateLeadsToTheTruthWhateverHappenedSince) {
  FlowTable table(64, kKey);
  const FlowKey key = flow_key(1);
  const FlowTable::Place at = table.place(key);
  EXPECT_FALSE(table.candidate_at(at)->key == key) << "an entry of no flow";
  EXPECT_EQ(table.find(at, key), nullptr);

  FlowEntry* entry = table.insert(at, key);
  EXPECT_EQ(table.find(at, key), entry) << "inserted since";
  FlowEntry* candidate = table.candidate_at(at);
  EXPECT_EQ(candidate, entry);
  EXPECT_EQ(table.find(at, key, candidate), entry);

  table.erase(entry);
  EXPECT_EQ(table.find(at, key, candidate), nullptr) << "erased since";
  EXPECT_EQ(table.insert(flow_key(2)) == nullptr, false);
  EXPECT_EQ(table.find(at, key, candidate), nullptr) << "its place may be another's by now";
  entry = table.insert(at, key);
  EXPECT_EQ(table.find(at, key, candidate), entry) << "erased and inserted since";
}

TEST(FlowTable, SweepVisitsEveryEntryOnceInWhateverSteps) {
  std::mt19937_64 random(3);
  FlowTable table(1000, kKey);
  for (int i = 0; i < 900; ++i) ASSERT_NE(table.insert(flow_key(random())), nullptr);
  for (const size_t step : {size_t{1}, size_t{3}, size_t{64}, table.bucket_count(), size_t{100000}}) {
    std::map<uint64_t, int> visits;
    size_t cursor = 0;
    do {
      cursor = table.sweep(cursor, step, [&](FlowEntry& entry) { ++visits[entry.key.as_integer()]; });
    } while (cursor != 0);
    EXPECT_EQ(visits.size(), 900U) << step;
    for (const auto& [key, count] : visits) EXPECT_EQ(count, 1) << step;
  }
}

TEST(FlowTable, SweepMayEraseWhatItVisits) {
  std::mt19937_64 random(4);
  FlowTableTwin twin(512, kKey);
  for (int i = 0; i < 500; ++i) twin.insert(flow_key(random()));
  const size_t before = twin.size();
  for (size_t bucket = 0; bucket < twin.table().bucket_count(); ++bucket) {
    twin.sweep(1, [](const FlowKey& key) { return key.client_port.value() % 2 == 0; });
  }
  EXPECT_LT(twin.size(), before);
  EXPECT_GT(twin.size(), 0U);
  twin.check_all();
  for (size_t bucket = 0; bucket < twin.table().bucket_count(); ++bucket) {
    twin.sweep(1, [](const FlowKey&) { return true; });
  }
  EXPECT_EQ(twin.size(), 0U);
  twin.check_all();
}

TEST(FlowTableDeathTest, EndsTheProcessWhenAnEntryIsErasedTwice) {
  FlowTable table(8, kKey);
  FlowEntry* entry = table.insert(flow_key(1));
  table.erase(entry);
  EXPECT_DEATH(table.erase(entry), "CHECK");
}

TEST(FlowTime, DifferencesSurviveTheWrap) {
  constexpr uint64_t kWrap = uint64_t{1} << (32 + kFlowTimeShift);
  const uint32_t before = flow_time(kWrap - 5'000'000);
  const uint32_t after = flow_time(kWrap + 5'000'000);
  EXPECT_LT(after, before);
  EXPECT_LE(after - before, flow_duration(10'000'000));
  EXPECT_GE(after - before, flow_duration(8'000'000));
}

TEST(FlowTime, ADurationIsNeverRoundedToNothing) {
  EXPECT_EQ(flow_duration(0), 1U);
  EXPECT_EQ(flow_duration(1), 1U);
}

}  // namespace
}  // namespace cheshire
