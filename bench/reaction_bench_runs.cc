// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/reaction_bench_runs.h"

#include <sys/prctl.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "controlplane/control_loop.h"
#include "counter.h"
#include "doorbell.h"
#include "log.h"

namespace cheshire::bench {
namespace {

// Looks at the clock when it is told to boot; nothing boots, nothing ends.
class ClockDriver final : public Driver {
 public:
  explicit ClockDriver(size_t slots) : booted_ns_(slots) {}
  [[nodiscard]] std::string_view name() const override { return "clock"; }
  [[nodiscard]] std::string description() const override { return "looks at the clock"; }
  void boot(BootOrder order) override {
    ++boots_;
    booted_ns_[order.id.slot.value].publish(monotonic_ns());
  }
  void stop(InstanceId) override {}
  [[nodiscard]] std::optional<DriverEvent> next_event() override { return std::nullopt; }

  [[nodiscard]] uint64_t booted_ns(uint16_t slot) const { return booted_ns_[slot].observe(); }
  [[nodiscard]] uint32_t boots() const { return boots_; }

 private:
  std::vector<Counter> booted_ns_;  // writer: control thread
  uint32_t boots_ = 0;
};

Config services(size_t count, const ServiceConfig& like) {
  Config config;
  config.images.push_back({.name = "image", .driver = DriverKind::kFake});
  for (size_t i = 0; i < count; ++i) {
    ServiceConfig service = like;
    service.name = "s" + std::to_string(i);
    service.vip = be32(static_cast<uint32_t>(0x0a000000 + i));
    service.port = be16(80);
    service.guest_ip = be32(0x0a000002);
    service.guest_port = be16(80);
    service.boot_deadline_ns = 3600 * kNsPerSecond;
    service.idle_after_ns = 3600 * kNsPerSecond;
    config.services.push_back(service);
  }
  return config;
}

// The control loop with all that it works with, and a worker that takes each table at once.
struct Stage {
  explicit Stage(Config from, size_t ring_records = 65536)
      : config(std::move(from)),
        board(config.slots(), config.services.size()),
        ring(ring_records),
        driver(config.slots()),
        control(config, {.board = &board,
                         .load_rings = {&ring},
                         .steering = &steering,
                         .status = &status,
                         .drivers = {{DriverKind::kFake, &driver}},
                         .connected = [](SlotIndex) { return false; },
                         .vhost_socket = [](SlotIndex) { return std::string("/none"); },
                         .trace = &trace}) {
    log::set_level("off");
  }
  bool tick(uint64_t now_ns) {
    const bool busy = control.tick(now_ns);
    steering.pass(0, steering.latest()->version);
    return busy;
  }
  void is_ready(uint16_t slot, uint32_t generation) {
    board.slot(SlotIndex{slot}).attached_generation.publish(generation);
    board.slot(SlotIndex{slot}).ready_generation.publish(generation);
  }

  const Config config;
  LoadBoard board;
  SpscRing<LoadRecord> ring;
  Published<SteeringTable> steering{1};
  StatusBoard status;
  DecisionTrace trace;
  ClockDriver driver;
  Doorbell bell;
  ControlLoop control;
};

uint64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_nsec);
}

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

LoadRecord record_of(const Stage& stage, LoadEdge edge, uint16_t service, uint16_t slot, uint64_t now_ns) {
  const SlotLoad& load = stage.board.slot(SlotIndex{slot});
  LoadRecord record;
  record.edge = edge;
  record.service = ServiceIndex{service};
  record.slot = SlotIndex{slot};
  record.generation = Generation{1};
  record.in_flight = record.in_flight_peak = static_cast<uint32_t>(load.in_flight.get());
  record.time_ns = now_ns;
  record.packets_to_guest = load.packets_to_guest.get();
  return record;
}

double percentile(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<size_t>(part * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
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
double measure_wake(unsigned samples) {
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
  return percentile(took_us, 0.5);
}

namespace {

struct Packet {  // stands for an rte_mbuf: its length is in a line of its own
  alignas(64) uint32_t length = 64;
};

// One burst: `counted` does what the worker does beyond moving it.
template <bool counted>
[[gnu::noinline]] uint64_t one_burst(const std::array<Packet, 32>& packets, Stage& stage, uint64_t now_ns,
                                     uint64_t& published_ns) {
  WorkerLoad& worker = stage.board.worker(0);
  SlotLoad& load = stage.board.slot(SlotIndex{0});
  uint64_t bytes = 0;
  uint64_t touched = 0;
  for (const Packet& packet : packets) {
    touched ^= packet.length;
    if constexpr (counted) {
      worker.held_packets.increment();
      bytes += packet.length;
    }
  }
  if constexpr (counted) {
    load.packets_to_guest.add(packets.size());
    load.bytes_to_guest.add(bytes);
    worker.packets_to_guest.add(packets.size());
    worker.held_packets.subtract(packets.size());
    if (now_ns - published_ns >= kNsPerMs) {
      published_ns = now_ns;
      const bool pushed = stage.ring.push(record_of(stage, LoadEdge::kPeriodic, 0, 0, now_ns));
      if (!pushed) worker.load_records_lost.increment();
    }
  }
  return touched;
}

template <bool counted>
double cycles_per_packet(Stage& stage) {
  const std::array<Packet, 32> packets;
  constexpr uint64_t kBursts = 200'000;
  constexpr uint64_t kBurstNs = 2 * kNsPerUs;  // some 16 million packets a second
  uint64_t published_ns = 0;
  uint64_t sum = 0;
  const uint64_t before = __rdtsc();
  for (uint64_t burst = 0; burst < kBursts; ++burst) {
    sum += one_burst<counted>(packets, stage, burst * kBurstNs, published_ns);
  }
  const uint64_t after = __rdtsc();
  LoadRecord record;
  while (stage.ring.pop(record)) sum += record.in_flight;
  return static_cast<double>(after - before) / static_cast<double>(kBursts * packets.size()) +
         (sum == 1 ? 1e-9 : 0);  // the sum is wanted
}

}  // namespace

double measure_counting_cycles() {
  Stage stage(services(1, {}));
  std::vector<double> differences;
  for (int run = 0; run < 15; ++run) {
    const double with = cycles_per_packet<true>(stage);
    differences.push_back(with - cycles_per_packet<false>(stage));
  }
  return percentile(differences, 0.5);
}

// Another thread fills the ring with records of all instances in turn, then the control loop takes them, and
// only that is timed, by the thread's own CPU clock: on a machine that others use too, a rate by the wall clock
// would measure the others.
Records measure_records() {
  constexpr uint16_t kServices = 1000;
  constexpr uint16_t kEach = 8;
  constexpr uint16_t kSlots = kServices * kEach;
  constexpr uint32_t kBatch = 16000;  // each instance twice
  Stage stage(
      services(kServices, {.instances_min = kEach, .instances_max = kEach, .in_flight_soft = 1 << 20}));
  for (int i = 0; i < 300; ++i) stage.tick(monotonic_ns());
  for (uint16_t slot = 0; slot < kSlots; ++slot) stage.is_ready(slot, 1);
  for (int i = 0; i < 300; ++i) stage.tick(monotonic_ns());

  Counter stop;
  Counter asked;   // writer: this thread
  Counter filled;  // writer: the other
  std::thread worker([&] {
    while (stop.observe() == 0) {
      if (filled.get() == asked.observe()) {
        std::this_thread::yield();
        continue;
      }
      const uint64_t now_ns = monotonic_ns();
      for (uint32_t i = 0; i < kBatch; ++i) {
        const auto slot = static_cast<uint16_t>(i % kSlots);
        stage.board.slot(SlotIndex{slot}).packets_to_guest.add(32);
        (void)!stage.ring.push(
            record_of(stage, LoadEdge::kPeriodic, static_cast<uint16_t>(slot / kEach), slot, now_ns));
      }
      filled.publish(filled.get() + 1);
    }
  });
  std::vector<double> with_us;
  std::vector<double> without_us;
  for (uint64_t batch = 1; batch <= 60; ++batch) {
    asked.publish(batch);
    while (filled.observe() != batch) std::this_thread::yield();
    uint64_t before_ns = thread_cpu_ns();
    stage.tick(monotonic_ns());
    with_us.push_back(static_cast<double>(thread_cpu_ns() - before_ns) / 1e3);
    before_ns = thread_cpu_ns();
    for (int i = 0; i < 8; ++i) stage.tick(monotonic_ns());
    without_us.push_back(static_cast<double>(thread_cpu_ns() - before_ns) / 8e3);
  }
  stop.publish(1);
  worker.join();
  Records records;
  const double batch_us = percentile(with_us, 0.5);
  records.million_per_s = kBatch / batch_us;
  records.all_interval_us = batch_us * kSlots / kBatch;
  records.touched_per_10us = records.million_per_s * 10;
  records.quiet_round_us = percentile(without_us, 0.5);
  return records;
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
