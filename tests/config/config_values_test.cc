// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/config_values.h"

#include <gtest/gtest.h>

#include "units.h"

namespace cheshire {
namespace {

TEST(ConfigValues, Durations) {
  const std::pair<const char*, uint64_t> good[] = {{"0", 0},
                                                   {"0s", 0},
                                                   {"1ns", 1},
                                                   {"50us", 50 * kNsPerUs},
                                                   {"1.5ms", 1'500'000},
                                                   {"3s", 3 * kNsPerSecond},
                                                   {"0.000001h", 3'600'000},
                                                   {"2m", 120 * kNsPerSecond},
                                                   {"5124095h", uint64_t{5124095} * 3600 * kNsPerSecond}};
  for (const auto& [text, ns] : good) {
    const Result<uint64_t> parsed = parse_duration_ns(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.error().what;
    EXPECT_EQ(parsed.value(), ns) << text;
  }
  for (const char* text : {"",
                           "s",
                           "1",
                           "0.0",
                           "1.",
                           ".5s",
                           "1.s",
                           "-1s",
                           "+1s",
                           "1 s",
                           " 1s",
                           "1s ",
                           "1S",
                           "1sec",
                           "1e3s",
                           "0x1s",
                           "1.5ns",
                           "0.0000001s",
                           "1.0000000s",
                           "5124096h",
                           "18446744073709551616ns",
                           "99999999999999999999999s",
                           "1MiB"}) {
    EXPECT_FALSE(parse_duration_ns(text).ok()) << text;
  }
}

TEST(ConfigValues, SizesNeedABinaryUnit) {
  EXPECT_EQ(parse_size_bytes("8MiB").value(), 8 * kMiB);
  EXPECT_EQ(parse_size_bytes("1.5GiB").value(), 1536 * kMiB);
  EXPECT_EQ(parse_size_bytes("100B").value(), 100u);
  for (const char* text : {"8", "8MB", "8M", "8mib", "8 MiB", "0.1B", "17179869184GiB"}) {
    EXPECT_FALSE(parse_size_bytes(text).ok()) << text;
  }
}

TEST(ConfigValues, FormattedValuesReadBack) {
  for (const uint64_t ns :
       {uint64_t{0}, uint64_t{1}, uint64_t{1500}, 90 * kNsPerSecond, 24 * 3600 * kNsPerSecond}) {
    EXPECT_EQ(parse_duration_ns(format_duration(ns)).value(), ns);
  }
  EXPECT_EQ(format_duration(1'500'000), "1500us");
  EXPECT_EQ(format_duration(60 * kNsPerSecond), "1m");
  EXPECT_EQ(format_size(3 * kGiB / 2), "1536MiB");
}

TEST(ConfigValues, Counts) {
  EXPECT_EQ(parse_count("18446744073709551615").value(), UINT64_MAX);
  for (const char* text : {"", "-1", "1.0", "0x10", "1_000", "18446744073709551616"}) {
    EXPECT_FALSE(parse_count(text).ok()) << text;
  }
}

TEST(ConfigValues, Endpoints) {
  const Result<Endpoint> parsed = parse_endpoint("192.0.2.10:65535");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(format_endpoint(parsed.value().ip, parsed.value().port), "192.0.2.10:65535");
  const std::pair<const char*, const char*> bad[] = {{"192.0.2.10", "no port"},
                                                     {":80", "not an IPv4 address"},
                                                     {"192.0.2:80", "not an IPv4 address"},
                                                     {"192.0.2.256:80", "not an IPv4 address"},
                                                     {"192.0.2.010:80", "not an IPv4 address"},
                                                     {"[2001:db8::1]:80", "IPv6 is not supported"},
                                                     {"192.0.2.10:0", "write 1 to 65535"},
                                                     {"192.0.2.10:65536", "write 1 to 65535"},
                                                     {"192.0.2.10:http", "not a port"},
                                                     {"0.0.0.0:80", "zero address"},
                                                     {"0.1.2.3:80", "0.0.0.0/8"},
                                                     {"127.0.0.1:80", "loopback"},
                                                     {"224.0.0.1:80", "multicast"},
                                                     {"240.0.0.1:80", "reserved"},
                                                     {"255.255.255.255:80", "broadcast"}};
  for (const auto& [text, words] : bad) {
    const Result<Endpoint> result = parse_endpoint(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_NE(result.error().what.find(words), std::string::npos) << text << ": " << result.error().what;
  }
  EXPECT_FALSE(parse_endpoint(std::string_view("192.0.2.10\0x:80", 15)).ok());
}

TEST(ConfigValues, Names) {
  EXPECT_TRUE(is_name("a"));
  EXPECT_TRUE(is_name("9-lives"));
  EXPECT_TRUE(is_name(std::string(32, 'x')));
  for (const std::string& text : {std::string(), std::string(33, 'x'), std::string("-a"), std::string("A"),
                                  std::string("a.b"), std::string("a/b"), std::string("a b")}) {
    EXPECT_FALSE(is_name(text)) << text;
  }
}

TEST(ConfigValues, GuessesTheWordThatWasMeant) {
  const std::string_view words[] = {"min", "max", "time_max", "syns_max"};
  EXPECT_EQ(nearest_word("mx", words), "max");
  EXPECT_EQ(nearest_word("max_time", words), "");
  EXPECT_EQ(nearest_word("timemax", words), "time_max");
  EXPECT_EQ(nearest_word("zzz", words), "");
  EXPECT_EQ(nearest_word("", words), "");
  EXPECT_EQ(nearest_word(std::string(100'000, 'm'), words), "");
}

TEST(ConfigValues, MessagesAreOneLineOfPlainText) {
  EXPECT_EQ(printable("a\033[2J\n\xff"), "a\\x1b[2J\\x0a\\xff");
  EXPECT_EQ(printable(std::string(100, 'a')), std::string(64, 'a') + "...");
}

}  // namespace
}  // namespace cheshire
