// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/long_flows.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace cheshire {
namespace {

// Places of the samples among so many packets, that come in bursts of 1 to 64.
std::vector<uint64_t> samples_of(PacketSampler& sampler, uint64_t packets) {
  std::vector<uint64_t> places;
  uint16_t burst = 1;
  for (uint64_t came = 0; came < packets; came += burst, burst = static_cast<uint16_t>(burst % 64 + 1)) {
    if (const auto at = sampler.among(burst)) {
      EXPECT_LT(*at, burst);
      places.push_back(came + *at);
    }
  }
  return places;
}

TEST(PacketSampler, looks_at_one_in_so_many_on_average_whatever_the_bursts) {
  for (const uint32_t every : {128U, 4096U}) {
    PacketSampler sampler(every, 1);
    const auto places = samples_of(sampler, 10'000ULL * every);
    EXPECT_GT(places.size(), 9'500U) << every;
    EXPECT_LT(places.size(), 10'500U) << every;
  }
}

TEST(PacketSampler, no_two_samples_are_nearer_than_half_of_that_nor_farther_than_three_halves) {
  PacketSampler sampler(128, 7);
  const auto places = samples_of(sampler, 1'000'000);
  for (size_t i = 1; i < places.size(); ++i) {
    EXPECT_GE(places[i] - places[i - 1], 64U);
    EXPECT_LE(places[i] - places[i - 1], 192U);
  }
}

TEST(PacketSampler, flows_that_come_in_turns_are_all_met) {
  PacketSampler sampler(128, 3);
  std::map<uint64_t, int>
      met;  // of 128 flows, a packet each in turn: a fixed step would meet one of them only
  for (const uint64_t place : samples_of(sampler, 4'000'000)) ++met[place % 128];
  EXPECT_EQ(met.size(), 128U);
  for (const auto& [flow, times] : met) EXPECT_LT(times, 600) << flow;
}

TEST(PacketSampler, heavy_flows_are_met_in_proportion_to_their_packets) {
  PacketSampler sampler(128, 5);
  int heavy = 0;
  int all = 0;
  for (const uint64_t place : samples_of(sampler, 4'000'000)) {
    heavy += place * 0x9e3779b97f4a7c15ULL >> 62U == 0 ? 1 : 0;  // a quarter of the packets
    ++all;
  }
  EXPECT_NEAR(static_cast<double>(heavy) / all, 0.25, 0.02);
}

}  // namespace
}  // namespace cheshire
