// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/boot_bench_report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace cheshire {
namespace {

using Json = nlohmann::ordered_json;

// Medians of the kvm driver's by those of the floor, tier by tier. SPECIFICATION.md says where they come from.
constexpr double kTotalToFloorMax[] = {4, 6, 5};
constexpr double kHostToFloorMax[] = {3.5, 15, 4};
constexpr double kFasterThanQemuMin = 8;
constexpr double kCpuOfAStartToFloorMax = 4;
constexpr double kOverheadMaxKib = 1024;

std::string text(const char* format, auto... values) {
  std::array<char, 256> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

Json to_json(const Quantiles& quantiles) {
  return {{"p50_us", quantiles.p50_us}, {"p99_us", quantiles.p99_us}};
}

Json to_json(const TierResult& tier) {
  Json json{{"samples", tier.samples}, {"total", to_json(tier.total)}};
  if (tier.host) json["host"] = to_json(*tier.host);
  for (const auto& [name, value] : tier.stages) json["stages"][name] = to_json(value);
  return json;
}

double kib(uint64_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(kKiB);
}

// What a start costs, and by how much the floor's is less.
void add_tier(bench::Figures& figures, const std::string& name, const TierResult& tier) {
  figures.add(name + ": p50", "us", tier.total.p50_us, bench::Better::kLess);
  figures.add(name + ": p99", "us", tier.total.p99_us, bench::Better::kLess);
  if (!tier.host) return;
  figures.add(name + ", host: p50", "us", tier.host->p50_us, bench::Better::kLess);
  figures.add(name + ", host: p99", "us", tier.host->p99_us, bench::Better::kLess);
}

// The tier of a driver; nullptr: it was not measured.
const TierResult* find_tier(const BenchResult& result, const std::string& driver, Tier tier) {
  const auto found = result.find(driver);
  if (found == result.end()) return nullptr;
  const auto tiers = found->second.tiers.find(tier);
  return tiers == found->second.tiers.end() ? nullptr : &tiers->second;
}

std::string why_missing(const BenchResult& result, const std::string& driver) {
  const auto found = result.find(driver);
  if (found == result.end()) return driver + " was not asked for";
  return driver + ": " + (found->second.missing.empty() ? "no sample" : found->second.missing);
}

void add_ratios_to_floor(bench::Figures& figures, const BenchResult& result) {
  for (const Tier tier : {Tier::kCold, Tier::kShell, Tier::kStandby}) {
    const std::string name = std::string("kvm ") + to_string(tier);
    const TierResult* kvm = find_tier(result, "kvm", tier);
    const TierResult* bare = find_tier(result, "bare", tier);
    if (kvm == nullptr || bare == nullptr || !kvm->host || !bare->host) {
      figures.missing(name + " to the floor", why_missing(result, kvm == nullptr ? "kvm" : "bare"));
      continue;
    }
    const auto index = static_cast<size_t>(tier);
    figures.ratio_at_most(name + " to the floor", kvm->total.p50_us / bare->total.p50_us,
                          kTotalToFloorMax[index]);
    figures.ratio_at_most(name + ", host, to the floor's", kvm->host->p50_us / bare->host->p50_us,
                          kHostToFloorMax[index]);
  }
}

}  // namespace

Quantiles quantiles(std::vector<uint64_t> samples_ns) {
  if (samples_ns.empty()) return {};
  std::sort(samples_ns.begin(), samples_ns.end());
  const auto at = [&](size_t percent) {
    return static_cast<double>(
               samples_ns[std::min(samples_ns.size() * percent / 100, samples_ns.size() - 1)]) /
           1000;
  };
  return {at(50), at(99)};
}

TierResult summarize(const std::vector<StartSample>& samples) {
  TierResult result{.samples = samples.size()};
  std::vector<uint64_t> totals;
  std::vector<uint64_t> hosts;
  std::map<std::string, std::vector<uint64_t>> stages;
  for (const StartSample& sample : samples) {
    totals.push_back(sample.total_ns);
    if (sample.host_ns) hosts.push_back(*sample.host_ns);
    for (const auto& [name, at_ns] : sample.stages_ns) stages[name].push_back(at_ns);
  }
  result.total = quantiles(totals);
  if (!hosts.empty()) result.host = quantiles(hosts);
  for (const auto& [name, times] : stages) result.stages.emplace_back(name, quantiles(times));
  std::sort(result.stages.begin(), result.stages.end(),
            [](const auto& a, const auto& b) { return a.second.p50_us < b.second.p50_us; });
  return result;
}

std::string to_table(const BenchResult& result) {
  std::string table = text("%-6s %-8s %7s %11s %11s %11s %11s\n", "driver", "tier", "samples", "p50 us",
                           "p99 us", "host p50", "host p99");
  for (const auto& [name, driver] : result) {
    if (!driver.missing.empty()) table += name + ": " + driver.missing + "\n";
    for (const auto& [tier, values] : driver.tiers) {
      table += text("%-6s %-8s %7zu %11.0f %11.0f ", name.c_str(), to_string(tier), values.samples,
                    values.total.p50_us, values.total.p99_us);
      table += values.host ? text("%11.0f %11.0f\n", values.host->p50_us, values.host->p99_us)
                           : text("%11s %11s\n", "-", "-");
    }
    if (driver.rate) {
      table += text("%-6s %.0f starts/s, %.0f per second of CPU time\n", name.c_str(),
                    driver.rate->starts_per_second, driver.rate->starts_per_core_second);
    }
    if (driver.memory) {
      table += text("%-6s %.0f KiB per idle instance above %.0f KiB of touched guest memory\n", name.c_str(),
                    kib(driver.memory->overhead_bytes), kib(driver.memory->guest_bytes));
    }
  }
  for (const auto& [name, driver] : result) {
    for (const auto& [tier, values] : driver.tiers) {
      if (values.stages.empty()) continue;
      table += name + " " + to_string(tier) + ", medians from the order:";
      for (const auto& [stage, value] : values.stages) table += text(" %s %.0f", stage.c_str(), value.p50_us);
      table += " us\n";
    }
  }
  return table +
         "host: total minus the time the vCPU's thread was inside of KVM_RUN between the order and the "
         "SYN-ACK\n";
}

nlohmann::ordered_json details_of(const BenchResult& result) {
  Json json;
  for (const auto& [name, driver] : result) {
    Json& to = json["drivers"][name];
    to["description"] = driver.description;
    if (!driver.missing.empty()) to["missing"] = driver.missing;
    for (const auto& [tier, values] : driver.tiers) to["tiers"][to_string(tier)] = to_json(values);
    if (driver.rate) {
      to["starts_per_second"] = driver.rate->starts_per_second;
      to["starts_per_core_second"] = driver.rate->starts_per_core_second;
    }
    if (driver.memory) {
      to["guest_bytes"] = driver.memory->guest_bytes;
      to["overhead_bytes"] = driver.memory->overhead_bytes;
    }
  }
  return json;
}

bench::Figures figures_of(const BenchResult& result) {
  bench::Figures figures("boot_bench");
  for (const auto& [name, driver] : result) {
    for (const auto& [tier, values] : driver.tiers) add_tier(figures, name + " " + to_string(tier), values);
    if (driver.rate) {
      figures.add(name + ": starts by one second of CPU time", "starts", driver.rate->starts_per_core_second,
                  bench::Better::kMore);
    }
  }
  add_ratios_to_floor(figures, result);
  const TierResult* kvm = find_tier(result, "kvm", Tier::kCold);
  const TierResult* qemu = find_tier(result, "qemu", Tier::kCold);
  const char* const faster = "QEMU's cold start to that of kvm";
  if (kvm != nullptr && qemu != nullptr) {
    figures.ratio_at_least(faster, qemu->total.p50_us / kvm->total.p50_us, kFasterThanQemuMin);
  } else {
    figures.missing(faster, why_missing(result, kvm == nullptr ? "kvm" : "qemu"));
  }
  const auto driver = result.find("kvm");
  const auto bare = result.find("bare");
  const bool rates =
      driver != result.end() && driver->second.rate && bare != result.end() && bare->second.rate;
  if (rates) {
    figures.ratio_at_most(
        "CPU time of a cold start of kvm to the floor's",
        bare->second.rate->starts_per_core_second / driver->second.rate->starts_per_core_second,
        kCpuOfAStartToFloorMax);
  } else {
    figures.missing("CPU time of a cold start of kvm to the floor's", why_missing(result, "kvm"));
  }
  if (driver != result.end() && driver->second.memory) {
    figures.count_at_most("memory of an idle instance of kvm above what its guest touched", "KiB",
                          kib(driver->second.memory->overhead_bytes), kOverheadMaxKib);
  } else {
    figures.missing("memory of an idle instance of kvm above what its guest touched",
                    why_missing(result, "kvm"));
  }
  return figures;
}

}  // namespace cheshire
