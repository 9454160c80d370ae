// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a benchmark found, as a list of figures in one shape for all benchmarks: a table for readers, JSON for
// scripts/compare and scripts/figures, and a verdict for --check.
//
// A bound is on a ratio of two things that were measured in the same run, in turns, or on a count that is the
// same on any machine. The two kinds of bounds are two functions, and there is none for a time or a rate: the
// same machine gives a program twice the time in one hour that it gives it in another.
//
//   Figures figures("boot_bench");
//   figures.add("kvm cold: p50", "us", 5146, Better::kLess);
//   figures.ratio_at_most("kvm cold to its floor", cold_us / floor_us, 4);
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cheshire::bench {

enum class Better { kNeither, kLess, kMore };

struct Figure {
  std::string name;
  std::string unit;
  double value = 0;
  Better better = Better::kNeither;
  std::optional<double> bound = {};  // at most where less is better, at least where more is
  std::string missing = {};          // why there is a bound and no value

  [[nodiscard]] bool met() const;
};

class Figures {
 public:
  // `benchmark` is the program's name, for the verdict.
  explicit Figures(std::string benchmark) : benchmark_(std::move(benchmark)) {}

  // For readers, and to be compared with another commit's.
  void add(std::string name, std::string unit, double value, Better better = Better::kNeither);
  void ratio_at_most(std::string name, double value, double bound);
  void ratio_at_least(std::string name, double value, double bound);
  // Counts and sizes that no clock has a part in.
  void count_at_most(std::string name, std::string unit, double value, double bound);
  // A bound whose figure could not be measured is missed.
  void missing(std::string name, std::string why);

  [[nodiscard]] const std::vector<Figure>& all() const { return all_; }
  [[nodiscard]] bool all_met() const;
  // {"benchmark": …, "figures": [{"name", "unit", "value", "better", and where there is one "bound", "met"}]}
  [[nodiscard]] nlohmann::ordered_json to_json() const;
  // A line for each.
  [[nodiscard]] std::string to_table() const;
  // One line with every bound and its figure.
  [[nodiscard]] std::string verdict() const;

 private:
  std::string benchmark_;
  std::vector<Figure> all_;
};

// Prints what a benchmark was asked for: the table or, with `json`, the JSON with `details` merged into it; with
// `check` the verdict as well, on the last line. Returns the exit status of the program.
struct FiguresWanted {
  bool json = false;
  bool check = false;
};
[[nodiscard]] int report(const Figures& figures, const FiguresWanted& wanted,
                         const nlohmann::ordered_json& details = nlohmann::ordered_json::object());

}  // namespace cheshire::bench
