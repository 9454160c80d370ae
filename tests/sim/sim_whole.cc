// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The whole of Cheshire in one process, one thread and one made-up clock: worlds from a seed, one after another.
//
// Theory. A world is drawn from its seed: services with random bounds, policies, tiers and overload rules, one to three
// workers, tables and rings so small that they fill. Then time passes in steps of random length. In each step the
// players act in a random order: every worker takes some turns (or is late), the control loop ticks (or is late), the
// machine boots, kills and pauses VMs, guests answer, clients call. Nothing else decides what happens, so a seed is a
// world: the same seed gives the same event log, and a failure is looked at again with --seed and --tell.
//
// Real: the workers with their flow tables, hold queues and limits; the rings between them; the NIC's ethdev port
// (net_ring); the load board, the load rings and the steering table; the control loop with policies, tiers, back-off,
// commands and trace; the fake driver's scripts of boots and deaths (hypervisor/fake).
//
// Played: the clock; the wire, which loses, doubles and delays (wire.h); the clients, a small honest TCP, and some who
// vanish, hang up, reuse ports and flood (clients.h); the guests, a TCP server that is slow, silent, stuck or mad
// (guest.h); the sockets' thread, which tells the workers of ports and waits for them as the real one does (host.h); the
// operator (operator.h). Not here: threads (worker_threads_test has those), real VMs (tests/system), the telemetry, the
// offload.
//
// What has to hold is said by sentences: HOLDS() in guest.cc, host.cc, clients.cc and world_checks.cc.
//
//   sim_whole                                 20 seconds of worlds from a fresh seed, which is printed first
//   sim_whole --seconds 3600                  longer
//   sim_whole --seed 4711 --worlds 1 --tell   one world, again, with its event log
#include <sys/random.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "log.h"
#include "tests/sim/world.h"
#include "tests/support/dpdk.h"

namespace cheshire::sim {
namespace {

struct Options {
  uint64_t seconds = 20;
  std::optional<uint64_t> seed;
  std::optional<uint64_t> worlds;
  bool tell = false;
};

// So many worlds meet each kind of event; fewer may miss a rare one by chance.
constexpr uint64_t kWorldsForAll = 250;
constexpr uint64_t kProgressSeconds = 5;

std::optional<Options> read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const auto number = [&](const char* name) -> std::optional<uint64_t> {
      if (std::strcmp(argv[i], name) != 0 || i + 1 == argc) return {};
      return std::strtoull(argv[++i], nullptr, 10);
    };
    if (const auto seconds = number("--seconds")) {
      options.seconds = *seconds;
    } else if (const auto seed = number("--seed")) {
      options.seed = *seed;
    } else if (const auto worlds = number("--worlds")) {
      options.worlds = *worlds;
    } else if (std::strcmp(argv[i], "--tell") == 0) {
      options.tell = true;
    } else {
      std::fprintf(stderr, "usage: sim_whole [--seconds N] [--seed N] [--worlds N] [--tell]\n");
      return {};
    }
  }
  if (options.seed && !options.worlds) options.worlds = 1;
  return options;
}

uint64_t fresh_seed() {
  uint64_t seed = 0;
  if (::getrandom(&seed, sizeof(seed), 0) != static_cast<ssize_t>(sizeof(seed))) std::abort();
  return seed % 1'000'000'000'000;
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options), first_(options.seed.value_or(fresh_seed())) {}

  int go() {
    std::printf("sim: seed %llu\n", static_cast<unsigned long long>(first_));
    std::fflush(stdout);
    log::set_level("off");
    begin_ = std::chrono::steady_clock::now();
    // A seed is a world: the first one is lived twice.
    const uint64_t hash = live(first_);
    if (!options_.tell && live(first_) != hash) {
      std::fprintf(stderr, "sim: seed %llu: BROKEN: a seed gives the same event log each time\n",
                   static_cast<unsigned long long>(first_));
      return 1;
    }
    uint64_t worlds = 1;
    for (uint64_t told = 0; !is_over(worlds); ++worlds) {
      static_cast<void>(live(first_ + worlds));
      if (seconds() >= told + kProgressSeconds) {
        told = seconds();
        tell(worlds + 1);
      }
    }
    tell(worlds);
    std::printf("     times  worlds\n%s", covered_.table().c_str());
    const std::string missing = covered_.missing();
    if (worlds < kWorldsForAll || missing.empty()) return 0;
    std::fprintf(stderr, "sim: BROKEN: %llu worlds have met every kind of event; never met:\n%s",
                 static_cast<unsigned long long>(worlds), missing.c_str());
    return 1;
  }

 private:
  uint64_t live(uint64_t seed) {
    World world(seed, options_.tell, covered_);
    if (options_.tell) std::printf("sim: %s\n", world.describe().c_str());
    const uint64_t hash = world.run();
    made_up_ns_ += world.now_ns();
    covered_.end_world();
    return hash;
  }
  [[nodiscard]] uint64_t seconds() const {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin_).count());
  }
  [[nodiscard]] bool is_over(uint64_t worlds) const {
    return options_.worlds ? worlds >= *options_.worlds : seconds() >= options_.seconds;
  }
  void tell(uint64_t worlds) const {
    std::printf("sim: %llu worlds, %.0f made-up seconds, in %llu s; next seed %llu\n",
                static_cast<unsigned long long>(worlds), ns_to_ms(made_up_ns_) / 1000,
                static_cast<unsigned long long>(seconds()), static_cast<unsigned long long>(first_ + worlds));
    std::fflush(stdout);
  }

  const Options options_;
  const uint64_t first_;
  Coverage covered_;
  uint64_t made_up_ns_ = 0;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace
}  // namespace cheshire::sim

int main(int argc, char** argv) {
  const auto options = cheshire::sim::read_options(argc, argv);
  if (!options) return 2;
  const int result = cheshire::sim::Run(*options).go();
  cheshire::test::Dpdk::end();
  return result;
}
