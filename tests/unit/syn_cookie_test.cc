// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/syn_cookie.h"

#include <gtest/gtest.h>

#include <vector>

#include "units.h"

namespace cheshire {
namespace {

constexpr HashKey kMaster{0x0123456789abcdef, 0xfedcba9876543210};
constexpr uint64_t kPeriod = 32 * kNsPerSecond;
constexpr uint64_t kNow = 1000 * kPeriod + kNsPerSecond;
const FlowKey kFlow{be32(0xc6336407), be16(40000), {3}};

TEST(SynCookie, ComesBackWithItsMssClass) {
  SynCookies cookies(kMaster, kPeriod);
  for (const CookieKind kind : {CookieKind::kHandshake, CookieKind::kChallenge}) {
    for (uint8_t mss_class = 0; mss_class < 4; ++mss_class) {
      const uint32_t cookie = cookies.make(kind, kFlow, mss_class, kNow);
      EXPECT_EQ(cookies.check(kind, kFlow, cookie, kNow), mss_class);
    }
  }
}

TEST(SynCookie, AnotherWorkerKnowsItToo) {
  SynCookies one(kMaster, kPeriod);
  SynCookies other(kMaster, kPeriod);
  EXPECT_TRUE(other.check(CookieKind::kHandshake, kFlow, one.make(CookieKind::kHandshake, kFlow, 2, kNow),
                          kNow + kNsPerSecond));
}

TEST(SynCookie, IsOfOneClientServiceKindAndMaster) {
  SynCookies cookies(kMaster, kPeriod);
  SynCookies stranger({1, 2}, kPeriod);
  const uint32_t cookie = cookies.make(CookieKind::kHandshake, kFlow, 2, kNow);
  struct Case {
    const char* whose;
    FlowKey flow;
  };
  const Case cases[] = {{"another address", {be32(0xc6336408), be16(40000), {3}}},
                        {"another port", {be32(0xc6336407), be16(40001), {3}}},
                        {"another service", {be32(0xc6336407), be16(40000), {4}}}};
  for (const Case& c : cases) {
    EXPECT_FALSE(cookies.check(CookieKind::kHandshake, c.flow, cookie, kNow)) << c.whose;
  }
  EXPECT_FALSE(cookies.check(CookieKind::kChallenge, kFlow, cookie, kNow)) << "another kind";
  EXPECT_FALSE(stranger.check(CookieKind::kHandshake, kFlow, cookie, kNow)) << "another master";
  for (unsigned bit = 0; bit < 32; ++bit) {
    EXPECT_FALSE(cookies.check(CookieKind::kHandshake, kFlow, cookie ^ (1U << bit), kNow)) << "bit " << bit;
  }
}

TEST(SynCookie, LivesOneToTwoPeriods) {
  struct Case {
    const char* when;
    uint64_t made_ns;
    uint64_t shown_ns;
    bool good;
  };
  const uint64_t begin = 1000 * kPeriod;
  const Case cases[] = {
      {"at once", begin, begin, true},
      {"at the end of the period", begin, begin + kPeriod - 1, true},
      {"in the next period", begin, begin + kPeriod, true},
      {"at the end of the next", begin, begin + 2 * kPeriod - 1, true},
      {"in the one after", begin, begin + 2 * kPeriod, false},
      {"of the last moment, a period later", begin + kPeriod - 1, begin + 2 * kPeriod - 1, true},
      {"of the last moment, and one more", begin + kPeriod - 1, begin + 2 * kPeriod, false},
      {"four periods on", begin, begin + 4 * kPeriod, false}};
  for (const Case& c : cases) {
    SynCookies cookies(kMaster, kPeriod);
    const uint32_t cookie = cookies.make(CookieKind::kHandshake, kFlow, 1, c.made_ns);
    EXPECT_EQ(cookies.check(CookieKind::kHandshake, kFlow, cookie, c.shown_ns).has_value(), c.good) << c.when;
  }
}

TEST(SynCookie, MssOfOptions) {
  using Options = std::vector<uint8_t>;
  struct Case {
    const char* what;
    Options options;
    uint16_t mss;
  };
  const Case cases[] = {
      {"none", {}, 536},
      {"Linux", {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}, 1460},
      {"after no-operations", {1, 1, 1, 2, 4, 5, 0x78, 0}, 1400},
      {"after the end", {0, 2, 4, 5, 0xb4}, 536},
      {"no length", {2}, 536},
      {"length 0", {2, 0, 5, 0xb4}, 536},
      {"length 1", {2, 1, 5, 0xb4}, 536},
      {"length beyond the end", {2, 4, 5}, 536},
      {"of another length", {2, 3, 5, 2, 4, 2, 0}, 512},
      {"an unknown option that lies about its length", {99, 255, 2, 4, 5, 0xb4}, 536},
  };
  for (const Case& c : cases) EXPECT_EQ(mss_of_options(c.options), c.mss) << c.what;
}

TEST(SynCookie, MssClasses) {
  EXPECT_EQ(mss_class(0), std::nullopt);
  EXPECT_EQ(mss_class(535), std::nullopt);
  EXPECT_EQ(mss_class(536), 0);
  EXPECT_EQ(mss_class(1219), 0);
  EXPECT_EQ(mss_class(1220), 1);
  EXPECT_EQ(mss_class(1400), 1);
  EXPECT_EQ(mss_class(1440), 2);
  EXPECT_EQ(mss_class(1460), 3);
  EXPECT_EQ(mss_class(65535), 3);
}

}  // namespace
}  // namespace cheshire
