// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/boot_bench_report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace cheshire {
namespace {

using Json = nlohmann::ordered_json;

// Medians, in microseconds: issue 3, "Speed".
constexpr double kTotalMaxUs[] = {5000, 3000, 1000};
constexpr double kHostMaxUs[] = {2000, 600, 150};
constexpr double kFasterThanQemu = 8;
constexpr double kStartsPerCoreSecondMin = 100;
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

class Checker {
 public:
  void at_most(const std::string& what, double value, double bound, const char* unit) {
    note(what + text(" %.4g of %.4g %s", value, bound, unit), value <= bound);
  }
  void at_least(const std::string& what, double value, double bound, const char* unit) {
    note(what + text(" %.4g of %.4g%s", value, bound, unit), value >= bound);
  }
  void note(const std::string& line, bool ok) {
    verdict_.ok &= ok;
    verdict_.line += (verdict_.line.empty() ? "" : ", ") + std::string(ok ? "" : "MISSED ") + line;
  }
  [[nodiscard]] Verdict take() { return {verdict_.ok, (verdict_.ok ? "ok: " : "failed: ") + verdict_.line}; }

 private:
  Verdict verdict_;
};

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

std::string to_json(const BenchResult& result) {
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
  const Verdict verdict = check_bounds(result);
  json["check"] = {{"ok", verdict.ok}, {"line", verdict.line}};
  return json.dump(2) + "\n";
}

Verdict check_bounds(const BenchResult& result) {
  Checker check;
  const auto kvm = result.find("kvm");
  if (kvm == result.end() || !kvm->second.missing.empty()) {
    check.note("no kvm driver" + (kvm == result.end() ? std::string() : ": " + kvm->second.missing), false);
    return check.take();
  }
  for (const Tier tier : {Tier::kCold, Tier::kShell, Tier::kStandby}) {
    const auto values = kvm->second.tiers.find(tier);
    const auto index = static_cast<size_t>(tier);
    if (values == kvm->second.tiers.end()) {
      check.note(std::string(to_string(tier)) + " was not measured", false);
      continue;
    }
    check.at_most(to_string(tier), values->second.total.p50_us / 1000, kTotalMaxUs[index] / 1000, "ms");
    if (values->second.host) {
      check.at_most(std::string(to_string(tier)) + " host", values->second.host->p50_us / 1000,
                    kHostMaxUs[index] / 1000, "ms");
    }
  }
  const auto qemu = result.find("qemu");
  if (qemu != result.end() && qemu->second.tiers.contains(Tier::kCold) &&
      kvm->second.tiers.contains(Tier::kCold)) {
    check.at_least(
        "cold faster than qemu",
        qemu->second.tiers.at(Tier::kCold).total.p50_us / kvm->second.tiers.at(Tier::kCold).total.p50_us,
        kFasterThanQemu, " times");
  }
  if (kvm->second.rate) {
    check.at_least("starts per core second", kvm->second.rate->starts_per_core_second,
                   kStartsPerCoreSecondMin, "");
  }
  if (kvm->second.memory) {
    check.at_most("memory", kib(kvm->second.memory->overhead_bytes), kOverheadMaxKib, "KiB");
  }
  return check.take();
}

}  // namespace cheshire
