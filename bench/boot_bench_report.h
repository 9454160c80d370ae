// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What boot_bench found, as a table, as JSON, and as figures with their bounds.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/boot_bench_runs.h"
#include "bench/support/figures.h"

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
// By driver; "bare" is the floor (bare_vm.cc), measured as if it were one.
using BenchResult = std::map<std::string, DriverResult>;

[[nodiscard]] std::string to_table(const BenchResult& result);
[[nodiscard]] nlohmann::ordered_json details_of(const BenchResult& result);
[[nodiscard]] bench::Figures figures_of(const BenchResult& result);

}  // namespace cheshire
