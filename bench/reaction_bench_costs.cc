// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What reaction_bench has to say of costs that nobody waits for: counting on the worker, records on the control thread.
#include <x86intrin.h>

#include <array>
#include <cstring>
#include <thread>

#include "bench/reaction_bench_runs.h"
#include "bench/reaction_stage.h"

namespace cheshire::bench {
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

namespace {

double copy_cycles_per_packet() {
  constexpr size_t kBytes = 64;
  constexpr uint64_t kBursts = 200'000;
  alignas(64) std::array<std::array<char, kBytes>, 32> from{};
  alignas(64) std::array<std::array<char, kBytes>, 32> to{};
  const uint64_t before = __rdtsc();
  for (uint64_t burst = 0; burst < kBursts; ++burst) {
    std::memcpy(from.data(), &burst, sizeof(burst));
    for (size_t i = 0; i < from.size(); ++i) {
      std::memcpy(to[i].data(), from[i].data(), kBytes);
      asm("" : : "r"(to[i].data()) : "memory");  // the copy is wanted
    }
  }
  return static_cast<double>(__rdtsc() - before) / static_cast<double>(kBursts * from.size());
}

}  // namespace

Counting measure_counting() {
  Stage stage(services(1, {}));
  std::vector<double> differences;
  std::vector<double> copies;
  for (int run = 0; run < 15; ++run) {
    const double with = cycles_per_packet<true>(stage);
    differences.push_back(with - cycles_per_packet<false>(stage));
    copies.push_back(copy_cycles_per_packet());
  }
  return {.cycles = percentile(differences, 0.5), .copy_cycles = percentile(copies, 0.5)};
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
  std::vector<double> bare_us;
  const auto fill = [&](uint64_t batch) {
    asked.publish(batch);
    while (filled.observe() != batch) std::this_thread::yield();
  };
  for (uint64_t batch = 1; batch <= 120; batch += 2) {
    fill(batch);
    uint64_t before_ns = thread_cpu_ns();
    LoadRecord record;
    uint64_t sum = 0;
    while (stage.ring.pop(record)) sum += record.packets_to_guest;
    if (sum != 0) bare_us.push_back(static_cast<double>(thread_cpu_ns() - before_ns) / 1e3);
    fill(batch + 1);
    before_ns = thread_cpu_ns();
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
  records.bare_million_per_s = kBatch / percentile(bare_us, 0.5);
  return records;
}

}  // namespace cheshire::bench
