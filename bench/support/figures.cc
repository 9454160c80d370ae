// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/support/figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace cheshire::bench {
namespace {

constexpr const char* kRatio = "ratio";

std::string text(const char* format, auto... values) {
  std::array<char, 256> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

const char* word_of(Better better) {
  return better == Better::kLess ? "less" : better == Better::kMore ? "more" : nullptr;
}

const char* bound_word(const Figure& figure) {
  return figure.better == Better::kMore ? "at least" : "at most";
}

// "cold to floor 2.31 (at most 4)"
std::string with_bound(const Figure& figure) {
  if (!figure.missing.empty()) return figure.name + " not measured (" + figure.missing + "; MISSED)";
  const std::string unit = figure.unit == kRatio ? "" : " " + figure.unit;
  return figure.name + text(" %.4g%s (%s %.4g%s)", figure.value, unit.c_str(), bound_word(figure),
                            figure.bound.value_or(0), figure.met() ? "" : "; MISSED");
}

}  // namespace

// A figure that is no number, as when nothing was measured and divided by nothing, keeps no bound.
bool Figure::met() const {
  if (!missing.empty()) return false;
  if (!bound) return true;
  if (!std::isfinite(value)) return false;
  return better == Better::kMore ? value >= *bound : value <= *bound;
}

void Figures::add(std::string name, std::string unit, double value, Better better) {
  all_.push_back({.name = std::move(name), .unit = std::move(unit), .value = value, .better = better});
}

void Figures::ratio_at_most(std::string name, double value, double bound) {
  count_at_most(std::move(name), kRatio, value, bound);
}

void Figures::ratio_at_least(std::string name, double value, double bound) {
  all_.push_back(
      {.name = std::move(name), .unit = kRatio, .value = value, .better = Better::kMore, .bound = bound});
}

void Figures::count_at_most(std::string name, std::string unit, double value, double bound) {
  all_.push_back({.name = std::move(name),
                  .unit = std::move(unit),
                  .value = value,
                  .better = Better::kLess,
                  .bound = bound});
}

void Figures::missing(std::string name, std::string why) {
  all_.push_back({.name = std::move(name), .unit = kRatio, .value = std::nan(""), .missing = std::move(why)});
}

bool Figures::all_met() const {
  return std::all_of(all_.begin(), all_.end(), [](const Figure& figure) { return figure.met(); });
}

nlohmann::ordered_json Figures::to_json() const {
  nlohmann::ordered_json figures = nlohmann::ordered_json::array();
  for (const Figure& figure : all_) {
    nlohmann::ordered_json one = {
        {"name", figure.name}, {"unit", figure.unit}, {"value", nullptr}, {"better", nullptr}};
    if (std::isfinite(figure.value)) one["value"] = figure.value;
    if (const char* word = word_of(figure.better)) one["better"] = word;
    if (figure.bound) one["bound"] = *figure.bound;
    if (!figure.missing.empty()) one["missing"] = figure.missing;
    if (figure.bound || !figure.missing.empty()) one["met"] = figure.met();
    figures.push_back(std::move(one));
  }
  return {{"benchmark", benchmark_}, {"figures", std::move(figures)}};
}

std::string Figures::to_table() const {
  std::string table;
  for (const Figure& figure : all_) {
    table += text("%-66s ", figure.name.c_str());
    if (!figure.missing.empty()) {
      table += text("%12s  not measured: %s\n", "-", figure.missing.c_str());
      continue;
    }
    table += text("%12.3f %-14s", figure.value, figure.unit.c_str());
    if (figure.bound)
      table += text(" %s %.4g%s", bound_word(figure), *figure.bound, figure.met() ? "" : "  MISSED");
    table.erase(table.find_last_not_of(' ') + 1);
    table += "\n";
  }
  return table;
}

std::string Figures::verdict() const {
  std::string line;
  for (const Figure& figure : all_) {
    if (!figure.bound && figure.missing.empty()) continue;
    line += (line.empty() ? "" : ", ") + with_bound(figure);
  }
  return benchmark_ + (all_met() ? ": met: " : ": MISSED: ") + (line.empty() ? "no bound" : line);
}

int report(const Figures& figures, const FiguresWanted& wanted, const nlohmann::ordered_json& details) {
  if (wanted.json) {
    nlohmann::ordered_json told = figures.to_json();
    told.update(details);
    std::printf("%s\n", told.dump(2).c_str());
  } else {
    std::printf("%s", figures.to_table().c_str());
  }
  if (wanted.check) std::printf("%s\n", figures.verdict().c_str());
  return wanted.check && !figures.all_met() ? 1 : 0;
}

}  // namespace cheshire::bench
