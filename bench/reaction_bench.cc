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
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/reaction_bench_runs.h"

namespace {

using Json = nlohmann::ordered_json;

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

}  // namespace

int main(int argc, char** argv) {
  using namespace cheshire::bench;
  CLI::App app("From an edge on the worker to an order to a driver");
  bool json = false;
  bool check = false;
  unsigned samples = 500;
  app.add_flag("--json", json, "one JSON object");
  app.add_flag("--check", check, "exit status 1 if an aim is missed");
  app.add_option("--samples", samples, "edges per row")->check(CLI::Range(10U, 900U));
  CLI11_PARSE(app, argc, argv);

  const Reaction idle = measure_reaction({.samples = samples});
  const Reaction spinning = measure_reaction({.samples = samples, .naps = false});
  const Reaction busy = measure_reaction({.samples = samples, .reporting = 1000});
  const double cycles = measure_counting_cycles();
  const Records records = measure_records();
  const Jump jump = measure_jump();

  const std::vector<Row> rows = {
      {"edge to driver call, control thread idle, naps: p50", "us", idle.p50_us, 20},
      {"edge to driver call, control thread idle, naps: p99", "us", idle.p99_us, 100},
      {"  what the bell costs the worker, per edge that wakes: p50", "us", idle.bell_p50_us, 0},
      {"  CPU of the control thread meanwhile, of one core", "%", idle.cpu_percent, 0},
      {"edge to driver call, control thread idle, control.tick 0: p50", "us", spinning.p50_us, 0},
      {"edge to driver call, control thread idle, control.tick 0: p99", "us", spinning.p99_us, 0},
      {"edge to driver call, 1,000 instances report every 1 ms: p50", "us", busy.p50_us, 0},
      {"edge to driver call, 1,000 instances report every 1 ms: p99", "us", busy.p99_us, 1000},
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
        "reaction_bench: idle p50 %.1f us p99 %.1f us, 1000 reporting p99 %.1f us, %.2f cycles/packet, %.1f "
        "M records/s, %u decision: %s\n",
        idle.p50_us, idle.p99_us, busy.p99_us, cycles, records.million_per_s, jump.target,
        all_met ? "all aims met" : "an aim was MISSED");
  }
  return check && !all_met ? 1 : 0;
}
