// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "published.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

namespace cheshire {
namespace {

// A value whose life can be watched from outside.
using Watched = std::shared_ptr<int>;

TEST(Published, HasNothingBeforeTheFirstPublication) {
  const Published<int> published(1);
  EXPECT_EQ(published.latest(), nullptr);
  EXPECT_EQ(published.values_kept(), 0U);
}

TEST(Published, ShowsTheNewestValueUnderVersionsFromOne) {
  Published<int> published(1);
  EXPECT_EQ(published.publish(70), 1U);
  EXPECT_EQ(published.publish(80), 2U);
  ASSERT_NE(published.latest(), nullptr);
  EXPECT_EQ(published.latest()->version, 2U);
  EXPECT_EQ(published.latest()->value, 80);
}

TEST(Published, KeepsEverythingUntilAReaderHasPassed) {
  Published<int> published(1);
  for (int value = 0; value < 5; ++value) published.publish(value);
  EXPECT_EQ(published.values_kept(), 5U);
}

TEST(Published, FreesWhatIsOlderThanWhatEveryReaderHasPassed) {
  Published<Watched> published(2);
  std::vector<std::weak_ptr<int>> lives;
  for (int value = 1; value <= 4; ++value) {
    auto watched = std::make_shared<int>(value);
    lives.emplace_back(watched);
    published.publish(std::move(watched));
  }
  const auto alive = [&lives](size_t version) { return !lives[version - 1].expired(); };

  published.pass(0, 4);
  published.reclaim();
  EXPECT_TRUE(alive(1)) << "the other reader may still look at it";

  published.pass(1, 2);
  published.reclaim();
  EXPECT_FALSE(alive(1));
  EXPECT_TRUE(alive(2)) << "passed, so nothing older is held: but this one may be";
  EXPECT_TRUE(alive(3));

  published.pass(1, 4);
  published.reclaim();
  EXPECT_FALSE(alive(2));
  EXPECT_FALSE(alive(3));
  EXPECT_TRUE(alive(4));
  EXPECT_EQ(published.values_kept(), 1U);
}

TEST(Published, NeverFreesTheNewestValue) {
  Published<int> published(1);
  published.publish(1);
  published.pass(0, Published<int>::kNeverReads);
  published.reclaim();
  EXPECT_EQ(published.values_kept(), 1U);
  EXPECT_EQ(published.latest()->value, 1);
}

TEST(Published, AReaderThatNeverReadsHoldsNothingBack) {
  Published<int> published(2);
  published.pass(0, Published<int>::kNeverReads);
  published.pass(1, Published<int>::kNeverReads);
  for (int value = 0; value < 5; ++value) published.publish(value);
  EXPECT_EQ(published.values_kept(), 1U);
}

TEST(Published, PublishingReclaims) {
  Published<int> published(1);
  for (int value = 0; value < 100; ++value) {
    published.pass(0, published.publish(value));
    EXPECT_LE(published.values_kept(), 2U);
  }
}

TEST(Published, SaysWhenAVersionWasPassedByAll) {
  Published<int> published(2);
  const uint64_t version = published.publish(1);
  EXPECT_FALSE(published.passed_by_all(version));
  published.pass(0, version);
  EXPECT_FALSE(published.passed_by_all(version));
  published.pass(1, version);
  EXPECT_TRUE(published.passed_by_all(version));
  EXPECT_FALSE(published.passed_by_all(version + 1));
}

// The address sanitizer sees a value read after its end, the thread sanitizer a value freed too early.
TEST(Published, ReadersSeeWholeValuesWhileTheWriterPublishesAndFrees) {
  constexpr uint64_t kVersions = 20000;
  constexpr size_t kReaders = 2;
  Published<std::vector<uint64_t>> published(kReaders);
  std::vector<uint64_t> wrong(kReaders);
  std::vector<std::thread> readers;
  for (size_t reader = 0; reader < kReaders; ++reader) {
    readers.emplace_back([&published, &wrong, reader] {
      uint64_t seen = 0;
      while (seen < kVersions) {
        const auto* latest = published.latest();
        if (latest == nullptr) continue;
        if (latest->version < seen) ++wrong[reader];
        seen = latest->version;
        published.pass(reader, seen);  // nothing older is held from here on
        for (const uint64_t number : latest->value) wrong[reader] += number == seen ? 0 : 1;
      }
      published.pass(reader, Published<int>::kNeverReads);
    });
  }
  size_t kept_max = 0;
  for (uint64_t version = 1; version <= kVersions; ++version) {
    published.publish(std::vector<uint64_t>(16, version));
    kept_max = std::max(kept_max, published.values_kept());
    if (version % 64 == 0) std::this_thread::yield();
  }
  for (std::thread& reader : readers) reader.join();
  for (const uint64_t count : wrong) EXPECT_EQ(count, 0U);
  EXPECT_GE(kept_max, 1U);
  EXPECT_TRUE(published.passed_by_all(kVersions));
  published.reclaim();
  EXPECT_EQ(published.values_kept(), 1U);
}

TEST(PublishedDeathTest, EndsTheProcessWithoutReaders) {
  EXPECT_DEATH(Published<int>(0), "CHECK");
}

}  // namespace
}  // namespace cheshire
