// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What boot_bench found, as a table, as JSON, and against the bounds of issue 3.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/boot_bench_runs.h"

namespace cheshire {

struct Quantiles {
  double p50_us = 0;
  double p99_us = 0;
};
[[nodiscard]] Quantiles quantiles(std::vector<uint64_t> samples_ns);

struct TierResult {
  size_t samples = 0;
  Quantiles total;
  std::optional<Quantiles> host;
  std::vector<std::pair<std::string, Quantiles>> stages;
};
[[nodiscard]] TierResult summarize(const std::vector<StartSample>& samples);

struct DriverResult {
  std::string description;
  std::string missing;  // why there is nothing; empty: there is
  std::map<Tier, TierResult> tiers;
  std::optional<RateSample> rate;
  std::optional<MemorySample> memory;
};
using BenchResult = std::map<std::string, DriverResult>;  // by driver

struct Verdict {
  bool ok = true;
  std::string line;  // every bound with its figure
};

[[nodiscard]] std::string to_table(const BenchResult& result);
[[nodiscard]] std::string to_json(const BenchResult& result);
[[nodiscard]] Verdict check_bounds(const BenchResult& result);

}  // namespace cheshire
