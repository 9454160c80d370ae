// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From a packet to a decision: how long an edge on the worker takes to become an order to a driver, what
// counting costs, and how many load records the control thread can take. No VM, no NIC: the real control loop,
// rings, board and doorbell, with a thread that plays the worker and a driver that only looks at the clock.
//
//   reaction_bench [--json] [--check] [--samples N]
//
// Beside each, in turns in the same run, stands a floor: a napping thread that is woken and does nothing, a copy of
// the packet, the same records off the same ring and nothing more. --check ends with 1 when a ratio to these is
// missed; the last line has the figures.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "bench/reaction_bench_runs.h"
#include "bench/support/figures.h"
#include "bench/support/statistics.h"

namespace {

using cheshire::bench::Better;
using cheshire::bench::Figures;
using cheshire::bench::Reaction;
using cheshire::bench::ReactionOptions;
using cheshire::bench::Wake;

// To a wake-up and nothing else. A control thread that polls has decided before one that naps would be awake; one
// that naps adds half a wake-up at most. The tails are those of the machine, which takes its CPUs away from both.
constexpr double kPollingToWakeMax = 0.6;
constexpr double kPollingTailToWakeMax = 2;
constexpr double kNappingToWakeMax = 1.5;
constexpr double kBusyTailToWakeMax = 6;
constexpr double kCountingToCopyMax = 1;
constexpr double kRecordToPopMax = 60;

// The machine may be taken away from any one round for milliseconds: medians of several, the kinds in turns.
struct Rounds {
  std::vector<Wake> wake;
  std::vector<Reaction> polling;
  std::vector<Reaction> napping;
  std::vector<Reaction> busy;
};

Rounds take_turns(unsigned samples) {
  constexpr int kRounds = 5;
  Rounds rounds;
  for (int round = 0; round < kRounds; ++round) {
    rounds.wake.push_back(cheshire::bench::measure_wake(samples));
    rounds.polling.push_back(cheshire::bench::measure_reaction({.samples = samples, .naps = false}));
    rounds.napping.push_back(cheshire::bench::measure_reaction({.samples = samples}));
    rounds.busy.push_back(cheshire::bench::measure_reaction({.samples = samples, .reporting = 1000}));
  }
  return rounds;
}

template <typename Round>
double median_of(const std::vector<Round>& rounds, double Round::*figure) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(round.*figure);
  return cheshire::median(std::move(values));
}

// Of the rounds, by the floor of the same round.
double ratio_of(const std::vector<Reaction>& rounds, double Reaction::*figure,
                const std::vector<Wake>& floors, double Wake::*floor) {
  std::vector<double> ratios;
  for (size_t i = 0; i < rounds.size(); ++i) ratios.push_back(rounds[i].*figure / (floors[i].*floor));
  return cheshire::median(std::move(ratios));
}

void add_reactions(Figures& figures, const Rounds& rounds) {
  const auto add = [&](const char* name, const std::vector<Reaction>& of) {
    figures.add(std::string(name) + ": p50", "us", median_of(of, &Reaction::p50_us), Better::kLess);
    figures.add(std::string(name) + ": p99", "us", median_of(of, &Reaction::p99_us), Better::kLess);
  };
  figures.add("a napping thread is woken and does nothing (the floor): p50", "us",
              median_of(rounds.wake, &Wake::p50_us));
  figures.add("a napping thread is woken and does nothing (the floor): p99", "us",
              median_of(rounds.wake, &Wake::p99_us));
  add("edge to driver call, control.tick 0", rounds.polling);
  add("edge to driver call, control thread naps", rounds.napping);
  add("edge to driver call, naps, 1,000 instances report", rounds.busy);
  figures.add("what the bell costs the worker, per edge that wakes: p50", "us",
              median_of(rounds.napping, &Reaction::bell_p50_us), Better::kLess);
  figures.add("CPU of the control thread meanwhile, of one core", "%",
              median_of(rounds.napping, &Reaction::cpu_percent), Better::kLess);
  figures.ratio_at_most("control.tick 0, p50, to a wake-up's",
                        ratio_of(rounds.polling, &Reaction::p50_us, rounds.wake, &Wake::p50_us),
                        kPollingToWakeMax);
  figures.ratio_at_most("control.tick 0, p99, to a wake-up's",
                        ratio_of(rounds.polling, &Reaction::p99_us, rounds.wake, &Wake::p99_us),
                        kPollingTailToWakeMax);
  figures.ratio_at_most("control thread naps, p50, to a wake-up's",
                        ratio_of(rounds.napping, &Reaction::p50_us, rounds.wake, &Wake::p50_us),
                        kNappingToWakeMax);
  figures.ratio_at_most("naps, 1,000 report, p99, to a wake-up's",
                        ratio_of(rounds.busy, &Reaction::p99_us, rounds.wake, &Wake::p99_us),
                        kBusyTailToWakeMax);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cheshire::bench;
  CLI::App app("From an edge on the worker to an order to a driver");
  FiguresWanted wanted;
  unsigned samples = 300;
  app.add_flag("--json", wanted.json, "print JSON instead of a table");
  app.add_flag("--check", wanted.check, "end non-zero when a bound is missed; the figures in the last line");
  app.add_option("--samples", samples, "edges per row and round")->check(CLI::Range(10U, 900U));
  CLI11_PARSE(app, argc, argv);

  Figures figures("reaction_bench");
  add_reactions(figures, take_turns(samples));

  const Counting counting = measure_counting();
  figures.add("counters and records on the worker, bursts of 32, one instance", "cycles/packet",
              counting.cycles, Better::kLess);
  figures.add("copying 64 bytes (the floor)", "cycles/packet", counting.copy_cycles);
  figures.ratio_at_most("counters and records to a copy of the packet",
                        counting.cycles / counting.copy_cycles, kCountingToCopyMax);

  const Records records = measure_records();
  figures.add("load records the control thread takes, 8,000 instances", "million/s", records.million_per_s,
              Better::kMore);
  figures.add("the same records off the ring and no more (the floor)", "million/s",
              records.bare_million_per_s);
  figures.ratio_at_most("time of a record taken to that of a bare pop",
                        records.bare_million_per_s / records.million_per_s, kRecordToPopMax);
  figures.add("instances that may be touched in each 10 us, for ever", "instances", records.touched_per_10us,
              Better::kMore);
  figures.add("least publication interval for all 8,000 touched at once", "us", records.all_interval_us,
              Better::kLess);
  figures.add("a round without a record", "us", records.quiet_round_us, Better::kLess);

  const Jump jump = measure_jump();
  if (jump.target == 0) {
    figures.missing("decisions from 1 to 16 instances on a step of load, target", "16 were not reached");
  } else {
    figures.count_at_most("decisions from 1 to 16 instances on a step of load, target", "decisions",
                          jump.target, 1);
  }
  figures.add("decisions from 1 to 16 instances, with steps of +100 %", "decisions", jump.steps,
              Better::kLess);
  return report(figures, wanted);
}
