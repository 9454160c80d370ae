// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/source_guard.h"

#include <gtest/gtest.h>

#include "units.h"

namespace cheshire {
namespace {

constexpr HashKey kKey{7, 11};
constexpr uint64_t kNow = 5000 * kNsPerSecond;
constexpr TokenRate kTenASecond{.interval_ns = 100 * kNsPerMs, .burst = 3};

TEST(SourceGuard, NobodyIsProvenAtFirst) {
  SourceGuard guard(64, kKey);
  EXPECT_FALSE(guard.is_proven(be32(1), kNow));
}

TEST(SourceGuard, AProofLastsAsLongAsItWasGivenFor) {
  SourceGuard guard(64, kKey);
  guard.remember_proof(be32(1), kNow, kNow + 60 * kNsPerSecond);
  EXPECT_TRUE(guard.is_proven(be32(1), kNow));
  EXPECT_TRUE(guard.is_proven(be32(1), kNow + 59 * kNsPerSecond));
  EXPECT_FALSE(guard.is_proven(be32(1), kNow + 61 * kNsPerSecond));
  EXPECT_FALSE(guard.is_proven(be32(2), kNow));
}

TEST(SourceGuard, ALaterProofProlongsAShorterOneDoesNotShorten) {
  SourceGuard guard(64, kKey);
  guard.remember_proof(be32(1), kNow, kNow + 60 * kNsPerSecond);
  guard.remember_proof(be32(1), kNow, kNow + kNsPerSecond);
  EXPECT_TRUE(guard.is_proven(be32(1), kNow + 30 * kNsPerSecond));
  guard.remember_proof(be32(1), kNow + 30 * kNsPerSecond, kNow + 90 * kNsPerSecond);
  EXPECT_TRUE(guard.is_proven(be32(1), kNow + 89 * kNsPerSecond));
}

TEST(SourceGuard, RefusalsOfASourceAreABucket) {
  SourceGuard guard(64, kKey);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(guard.may_refuse(be32(1), kNow, kTenASecond)) << i;
  EXPECT_FALSE(guard.may_refuse(be32(1), kNow, kTenASecond));
  EXPECT_TRUE(guard.may_refuse(be32(2), kNow, kTenASecond)) << "another source has its own";
  EXPECT_TRUE(guard.may_refuse(be32(1), kNow + 100 * kNsPerMs, kTenASecond)) << "one token later";
  EXPECT_FALSE(guard.may_refuse(be32(1), kNow + 100 * kNsPerMs, kTenASecond));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(guard.may_refuse(be32(1), kNow + kNsPerSecond, kTenASecond)) << "full again, " << i;
  }
  EXPECT_FALSE(guard.may_refuse(be32(1), kNow + kNsPerSecond, kTenASecond));
}

TEST(SourceGuard, WithoutARateEverybodyIsRefusedAtOnce) {
  SourceGuard guard(64, kKey);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(guard.may_refuse(be32(1), kNow, {}));
}

TEST(SourceGuard, AFloodOfInventedSourcesForgetsNoProof) {
  SourceGuard guard(256, kKey);
  for (uint32_t i = 1; i <= 32; ++i) guard.remember_proof(be32(i), kNow, kNow + 60 * kNsPerSecond);
  for (uint32_t i = 1000; i < 200'000; ++i) {
    static_cast<void>(guard.may_refuse(be32(i), kNow + i, kTenASecond));
  }
  for (uint32_t i = 1; i <= 32; ++i) EXPECT_TRUE(guard.is_proven(be32(i), kNow + kNsPerSecond)) << i;
  EXPECT_EQ(guard.proofs_displaced(), 0U);
}

TEST(SourceGuard, MoreProofsThanPlacesDisplaceProofsAndAreCounted) {
  SourceGuard guard(4, kKey);
  ASSERT_EQ(guard.sources_max(), 4U);
  for (uint32_t i = 1; i <= 5; ++i) guard.remember_proof(be32(i), kNow + i, kNow + 60 * kNsPerSecond);
  EXPECT_EQ(guard.proofs_displaced(), 1U);
  EXPECT_FALSE(guard.is_proven(be32(1), kNow + 10)) << "the one that was remembered first";
  EXPECT_TRUE(guard.is_proven(be32(5), kNow + 10));
}

TEST(SourceGuard, AnExpiredProofGivesItsPlace) {
  SourceGuard guard(4, kKey);
  for (uint32_t i = 1; i <= 4; ++i) guard.remember_proof(be32(i), kNow, kNow + kNsPerSecond);
  guard.remember_proof(be32(9), kNow + 5 * kNsPerSecond, kNow + 60 * kNsPerSecond);
  EXPECT_EQ(guard.proofs_displaced(), 0U);
  EXPECT_TRUE(guard.is_proven(be32(9), kNow + 6 * kNsPerSecond));
}

TEST(RateMeter, LetsARatePassWithItsBurst) {
  RateMeter meter;
  constexpr TokenRate kRate{.interval_ns = kNsPerMs, .burst = 10};
  int passed = 0;
  for (uint64_t us = 0; us < 100'000; us += 10) passed += meter.take(kNow + us * kNsPerUs, kRate) ? 1 : 0;
  EXPECT_EQ(passed, 109) << "100 ms at a thousand a second, and nine of the burst besides";
}

}  // namespace
}  // namespace cheshire
