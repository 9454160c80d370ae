// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From a packet to a decision: how long an edge on the worker takes to become an order to a driver, what
// counting costs, and how many load records the control thread can take. No VM, no NIC: the real control loop,
// rings, board and doorbell, with a thread that plays the worker and a driver that only looks at the clock.
//
//   reaction_bench [--json] [--check] [--samples N]
//
// --check ends with 1 when an aim is missed; the last line has the figures.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/reaction_bench_runs.h"
#include "bench/statistics.h"

namespace {

using Json = nlohmann::ordered_json;
using cheshire::bench::Reaction;
using cheshire::bench::ReactionOptions;

struct Row {
  const char* name;
  const char* unit;
  double figure;
  double aim;  // at most; 0: none
};

bool met(const Row& row) {
  return row.aim == 0 || row.figure <= row.aim;
}

void print(const std::vector<Row>& rows) {
  std::printf("%-66s %12s %12s\n", "figure", "measured", "aim");
  for (const Row& row : rows) {
    std::printf("%-66s %12.3f %12s %s%s\n", row.name, row.figure,
                row.aim == 0 ? "" : ("<= " + std::to_string(static_cast<int>(row.aim))).c_str(), row.unit,
                met(row) ? "" : "  MISSED");
  }
}

// The medians of some rounds: the machine may be taken away from any one of them for milliseconds.
Reaction of_rounds(const ReactionOptions& options) {
  constexpr int kRounds = 5;
  std::vector<Reaction> rounds;
  for (int round = 0; round < kRounds; ++round) rounds.push_back(cheshire::bench::measure_reaction(options));
  const auto each = [&](double Reaction::*figure) {
    std::vector<double> values;
    for (const Reaction& round : rounds) values.push_back(round.*figure);
    return values;
  };
  const auto median_of = [&](double Reaction::*figure) { return cheshire::median(each(figure)); };
  const std::vector<double> p99s = each(&Reaction::p99_us);
  const auto [least, most] = std::minmax_element(p99s.begin(), p99s.end());
  return {.p50_us = median_of(&Reaction::p50_us),
          .p99_us = median_of(&Reaction::p99_us),
          .p99_spread_us = *most - *least,
          .bell_p50_us = median_of(&Reaction::bell_p50_us),
          .cpu_percent = median_of(&Reaction::cpu_percent)};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cheshire::bench;
  CLI::App app("From an edge on the worker to an order to a driver");
  bool json = false;
  bool check = false;
  unsigned samples = 300;
  app.add_flag("--json", json, "one JSON object");
  app.add_flag("--check", check, "exit status 1 if an aim is missed");
  app.add_option("--samples", samples, "edges per row and round")->check(CLI::Range(10U, 900U));
  CLI11_PARSE(app, argc, argv);

  const double wake_us = measure_wake(samples);
  const Reaction polling = of_rounds({.samples = samples, .naps = false});
  const Reaction napping = of_rounds({.samples = samples});
  const Reaction busy = of_rounds({.samples = samples, .reporting = 1000});
  const double cycles = measure_counting_cycles();
  const Records records = measure_records();
  const Jump jump = measure_jump();

  const std::vector<Row> rows = {
      {"edge to driver call, control.tick 0: p50", "us", polling.p50_us, 20},
      {"edge to driver call, control.tick 0: p99", "us", polling.p99_us, 100},
      {"  spread of the p99 over the rounds", "us", polling.p99_spread_us, 0},
      {"a thread that naps is woken and does nothing (the peer): p50", "us", wake_us, 0},
      {"edge to driver call, control thread naps: p50 (aim: peer + 20)", "us", napping.p50_us, wake_us + 20},
      {"edge to driver call, control thread naps: p99", "us", napping.p99_us, 0},
      {"  what the bell costs the worker, per edge that wakes: p50", "us", napping.bell_p50_us, 0},
      {"  CPU of the control thread meanwhile, of one core", "%", napping.cpu_percent, 0},
      {"edge to driver call, naps, 1,000 instances report every 1 ms: p50", "us", busy.p50_us, 0},
      {"edge to driver call, naps, 1,000 instances report every 1 ms: p99", "us", busy.p99_us, 1000},
      {"  spread of the p99 over the rounds", "us", busy.p99_spread_us, 0},
      {"counters and records on the worker, bursts of 32, one instance", "cycles/pkt", cycles, 10},
      {"load records the control thread takes, 8,000 instances", "million/s", records.million_per_s, 0},
      {"  instances that may be touched in each 10 us, for ever", "", records.touched_per_10us, 0},
      {"  least publication interval for all 8,000 touched at once", "us", records.all_interval_us, 0},
      {"  a round without a record", "us", records.quiet_round_us, 0},
      {"decisions from 1 to 16 instances on a step of load, target", "", static_cast<double>(jump.target), 1},
      {"  the same with steps of +100 %", "", static_cast<double>(jump.steps), 0},
  };
  bool all_met = true;
  Json figures = Json::object();
  for (const Row& row : rows) {
    all_met = all_met && met(row);
    const std::string name(row.name);
    figures[name.substr(name.find_first_not_of(' '))] = {
        {"value", row.figure}, {"unit", row.unit}, {"aim_at_most", row.aim}, {"met", met(row)}};
  }
  if (json) {
    std::cout << figures.dump() << "\n";
  } else {
    print(rows);
    std::printf(
        "reaction_bench: control.tick 0 p50 %.1f us p99 %.1f us, naps p50 %.1f us (its wake-up %.1f us), "
        "1000 "
        "reporting p99 %.1f us, %.2f cycles/packet, %.1f M records/s, %u decision: %s\n",
        polling.p50_us, polling.p99_us, napping.p50_us, wake_us, busy.p99_us, cycles, records.million_per_s,
        jump.target, all_met ? "all aims met" : "an aim was MISSED");
  }
  return check && !all_met ? 1 : 0;
}
