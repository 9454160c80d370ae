// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/reaction_bench_runs.h"

#include <sys/prctl.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "bench/reaction_stage.h"

namespace cheshire::bench {
namespace {

// As run_control() of the daemon does it.
void run_control(Stage& stage, bool naps, const Counter& stop, Counter& cpu_ns) {
  constexpr uint64_t kBusyNapNs = 20 * kNsPerUs;
  constexpr uint32_t kQuietRounds = 16;
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  const uint64_t before_ns = thread_cpu_ns();
  uint32_t quiet_rounds = 0;
  while (stop.observe() == 0) {
    quiet_rounds = stage.tick(monotonic_ns()) ? 0 : quiet_rounds + 1;
    if (!naps) continue;
    stage.bell.sleep(quiet_rounds < kQuietRounds ? kBusyNapNs : kNsPerMs,
                     [&] { return !stage.ring.empty(); });
  }
  cpu_ns.publish(thread_cpu_ns() - before_ns);
}

}  // namespace

// Services 0 … reporting/8 - 1 have 8 active instances each; after them comes one service per sample.
Reaction measure_reaction(const ReactionOptions& options) {
  constexpr uint32_t kEach = 8;
  const auto busy = static_cast<uint16_t>(options.reporting / kEach);
  Config config = services(busy, {.instances_min = kEach, .instances_max = kEach, .in_flight_soft = 1 << 20});
  for (const ServiceConfig& service : services(options.samples, {}).services) {
    config.services.push_back(service);
    config.services.back().vip = be32(static_cast<uint32_t>(0x0b000000 + config.services.size()));
  }
  Stage stage(std::move(config));
  stage.tick(monotonic_ns());
  for (int i = 0; i < 300; ++i) stage.tick(monotonic_ns());
  const auto reporting = static_cast<uint16_t>(busy * kEach);
  for (uint16_t slot = 0; slot < reporting; ++slot) stage.is_ready(slot, 1);

  Counter stop;
  Counter cpu_ns;
  const uint64_t began_ns = monotonic_ns();
  std::thread control([&] { run_control(stage, options.naps, stop, cpu_ns); });
  std::mt19937_64 random(1);
  uint64_t published_ns = 0;
  const auto work_until = [&](uint64_t end_ns, auto&& is_done) {
    while (monotonic_ns() < end_ns && !is_done()) {
      const uint64_t now_ns = monotonic_ns();
      if (reporting == 0 || now_ns - published_ns < kNsPerMs) {
        if (options.naps) std::this_thread::yield();  // two threads may have one CPU between them
        continue;
      }
      published_ns = now_ns;
      for (uint16_t slot = 0; slot < reporting; ++slot) {
        stage.board.slot(SlotIndex{slot}).packets_to_guest.add(32);
        stage.board.slot(SlotIndex{slot}).bytes_to_guest.add(32 * 64);
        (void)!stage.ring.push(
            record_of(stage, LoadEdge::kPeriodic, static_cast<uint16_t>(slot / kEach), slot, now_ns));
      }
    }
  };
  std::vector<double> took_us;
  std::vector<double> bell_us;
  for (uint16_t i = 0; i < options.samples; ++i) {
    const auto service = static_cast<uint16_t>(busy + i);
    const auto slot = static_cast<uint16_t>(reporting + i);
    work_until(monotonic_ns() + 2 * kNsPerMs + random() % (2 * kNsPerMs), [] { return false; });
    ServiceLoad& load = stage.board.service(ServiceIndex{service});
    const uint64_t edge_ns = monotonic_ns();
    load.waiting_syns.set(1);
    (void)!stage.ring.push(record_of(stage, LoadEdge::kDemand, service, 0, edge_ns));
    if (options.naps) stage.bell.ring();
    bell_us.push_back(static_cast<double>(monotonic_ns() - edge_ns) / 1e3);
    work_until(edge_ns + kNsPerSecond, [&] { return stage.driver.booted_ns(slot) != 0; });
    const uint64_t booted_ns = stage.driver.booted_ns(slot);
    took_us.push_back(booted_ns == 0 ? 1e6 : static_cast<double>(booted_ns - edge_ns) / 1e3);
    load.waiting_syns.set(0);
  }
  const uint64_t lasted_ns = monotonic_ns() - began_ns;
  stop.publish(1);
  control.join();
  return {.p50_us = percentile(took_us, 0.5),
          .p99_us = percentile(took_us, 0.99),
          .bell_p50_us = percentile(bell_us, 0.5),
          .cpu_percent = 100.0 * static_cast<double>(cpu_ns.observe()) / static_cast<double>(lasted_ns)};
}

// A thread that sleeps as the control thread does and has nothing to do but to say when it woke.
Wake measure_wake(unsigned samples) {
  Doorbell bell;
  Counter asked;  // writer: this thread
  Counter woke_ns;
  Counter stop;
  std::thread sleeper([&] {
    ::prctl(PR_SET_TIMERSLACK, 1UL);
    uint64_t seen = 0;
    while (stop.observe() == 0) {
      bell.sleep(kNsPerMs, [&] { return asked.observe() != seen; });
      if (asked.observe() == seen) continue;
      seen = asked.observe();
      woke_ns.publish(monotonic_ns());
    }
  });
  std::mt19937_64 random(1);
  std::vector<double> took_us;
  for (unsigned i = 1; i <= samples; ++i) {
    const uint64_t until_ns = monotonic_ns() + 2 * kNsPerMs + random() % (2 * kNsPerMs);
    while (monotonic_ns() < until_ns) std::this_thread::yield();
    const uint64_t before_ns = monotonic_ns();
    asked.publish(i);
    bell.ring();
    while (woke_ns.observe() < before_ns) std::this_thread::yield();
    took_us.push_back(static_cast<double>(woke_ns.observe() - before_ns) / 1e3);
  }
  stop.publish(1);
  sleeper.join();
  return {.p50_us = percentile(took_us, 0.5), .p99_us = percentile(took_us, 0.99)};
}

namespace {

uint32_t decisions_to_sixteen(const PolicyConfig& policy) {
  ServiceConfig like{.instances_min = 1, .instances_max = 16, .in_flight_soft = 1 << 20};
  like.policies = {policy};
  Stage stage(services(1, like));
  uint64_t now_ns = kNsPerSecond;
  const auto advance = [&](uint64_t ns) {
    for (const uint64_t end_ns = now_ns + ns; now_ns < end_ns; now_ns += 100 * kNsPerUs) {
      stage.tick(now_ns);
      for (const Instance& instance : stage.control.instances()) {
        if (instance.state != InstanceState::kBooting) continue;
        stage.is_ready(instance.id.slot.value, instance.id.generation.value);
      }
    }
  };
  advance(200 * kNsPerMs);
  uint32_t decisions = 0;
  uint32_t booted = stage.driver.boots();
  for (int round = 0; round < 3000 && stage.driver.boots() < 16; ++round) {
    stage.board.slot(SlotIndex{0}).in_flight.set(160);  // the step: sixteen times the target
    advance(kNsPerMs);
    if (stage.driver.boots() != booted) ++decisions;
    booted = stage.driver.boots();
  }
  return stage.driver.boots() < 16 ? 0 : decisions;
}

}  // namespace

Jump measure_jump() {
  const PolicyConfig target{
      .name = "target", .kind = PolicyKind::kTarget, .metric = Metric::kInFlight, .target = 10};
  const PolicyConfig steps{.name = "steps",
                           .kind = PolicyKind::kStep,
                           .metric = Metric::kInFlight,
                           .adjustment = Adjustment::kPercent,
                           .steps = {{10, {}, 100}}};
  return {.target = decisions_to_sixteen(target), .steps = decisions_to_sixteen(steps)};
}

}  // namespace cheshire::bench
