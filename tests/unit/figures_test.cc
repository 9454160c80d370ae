// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What benchmarks say about their figures: which bound is kept, and the one shape of their JSON.
#include "bench/support/figures.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cheshire::bench {
namespace {

TEST(Figures, WithoutABoundNothingCanBeMissed) {
  Figures figures("bench");
  figures.add("time", "us", 1e9, Better::kLess);
  EXPECT_TRUE(figures.all_met());
  EXPECT_EQ(figures.verdict(), "bench: met: no bound");
}

TEST(Figures, ABoundIsKeptUpToItsValue) {
  Figures figures("bench");
  figures.ratio_at_most("cold to floor", 4, 4);
  figures.ratio_at_least("share", 0.7, 0.7);
  figures.count_at_most("memory", "KiB", 1024, 1024);
  EXPECT_TRUE(figures.all_met());
  EXPECT_EQ(
      figures.verdict(),
      "bench: met: cold to floor 4 (at most 4), share 0.7 (at least 0.7), memory 1024 KiB (at most 1024)");
}

TEST(Figures, OneMissedBoundIsSaidAndDecides) {
  Figures figures("bench");
  figures.ratio_at_most("good", 1, 2);
  figures.ratio_at_least("bad", 1, 2);
  EXPECT_FALSE(figures.all_met());
  EXPECT_EQ(figures.verdict(), "bench: MISSED: good 1 (at most 2), bad 1 (at least 2; MISSED)");
}

TEST(Figures, WhatWasNotMeasuredIsMissed) {
  Figures figures("bench");
  figures.missing("to Open vSwitch", "it is not installed");
  EXPECT_FALSE(figures.all_met());
  EXPECT_EQ(figures.verdict(), "bench: MISSED: to Open vSwitch not measured (it is not installed; MISSED)");
  Figures divided("bench");
  divided.ratio_at_most("nothing by nothing", std::nan(""), 2);
  EXPECT_FALSE(divided.all_met());
}

TEST(Figures, TheJsonHasOneShape) {
  Figures figures("bench");
  figures.add("time", "us", 1.5, Better::kLess);
  figures.add("peer", "us", 2);
  figures.ratio_at_least("share", 0.5, 0.7);
  figures.missing("gone", "why");
  EXPECT_EQ(figures.to_json().dump(),
            R"({"benchmark":"bench","figures":[)"
            R"({"name":"time","unit":"us","value":1.5,"better":"less"},)"
            R"({"name":"peer","unit":"us","value":2.0,"better":null},)"
            R"({"name":"share","unit":"ratio","value":0.5,"better":"more","bound":0.7,"met":false},)"
            R"({"name":"gone","unit":"ratio","value":null,"better":null,"missing":"why","met":false}]})");
}

}  // namespace
}  // namespace cheshire::bench
