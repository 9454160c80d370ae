// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a second worker costs the first, and what it costs to hand a packet over.
//
//   build/bench/workers_bench            a table of medians
//   … --json                             the same as JSON, with every sample
//   … --check                            ends non-zero when a bound is missed; the figures in its last line
//
// Two real workers, each on a CPU of its own, each with a receive queue that net_pcap fills from memory (64-byte
// segments of 4,096 open flows), a service of its own and eight guests in memory. Four ways:
//
//   alone     each by itself, all packets at home; the other one's CPU idles
//   home      both, all packets at home
//   half      both, every other packet is the other one's, as RSS spreads without flow rules
//   foreign   both, each packet is the other one's: what a packet costs more than at home is the hand-over
//
// The ways take turns within one run. Cycles are those of a worker's own CPU time per packet that it gave to a guest.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/support/figures.h"
#include "bench/support/pipeline_case.h"
#include "bench/support/sink_port.h"
#include "bench/support/statistics.h"
#include "bench/support/testpmd_peer.h"
#include "check.h"
#include "dataplane/packet/checksum.h"
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/worker_group.h"
#include "naps.h"
#include "tests/support/temporary_directory.h"

namespace cheshire {
namespace {

constexpr size_t kWorkers = 2;
constexpr uint16_t kSlotsEach = 8;
constexpr uint32_t kFlows = 4096;
constexpr uint64_t kWindowNs = 300 * kNsPerMs;
constexpr double kTogetherAtLeast = 0.85;  // packets per cycle, of those alone

enum class Way { kAlone0, kAlone1, kHome, kHalf, kForeign };
constexpr std::array kWayNames = {"alone 0", "alone 1", "home", "half", "foreign"};

// The frames of pipeline_bench, of services at ports 80 and 81 of its VIP: service(n) of the n-th frame.
template <typename Service>
void write_frames(const std::string& path, uint8_t device, Service&& service) {
  write_pcap({.kind = "uniform", .flows = kFlows}, path);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  constexpr std::streamoff kFileHeader = 24;
  constexpr std::streamoff kRecordHeader = 16;
  constexpr size_t kFrame = 60;
  std::array<char, kFrame> frame{};
  for (uint32_t n = 0; n < kFlows; ++n) {
    const std::streamoff at =
        kFileHeader + n * (kRecordHeader + static_cast<std::streamoff>(kFrame)) + kRecordHeader;
    file.seekg(at);
    file.read(frame.data(), frame.size());
    auto* bytes = reinterpret_cast<uint8_t*>(frame.data());
    header_at<EthernetHeader>(bytes, 0).destination.bytes[5] = device;
    auto& tcp = header_at<TcpHeader>(bytes, sizeof(EthernetHeader) + sizeof(Ipv4Header));
    const be16 port(static_cast<uint16_t>(kBenchPort + service(n)));
    ChecksumDelta delta;
    tcp.checksum = delta.replace(tcp.destination_port, port).apply(tcp.checksum);
    tcp.destination_port = port;
    file.seekp(at);
    file.write(frame.data(), frame.size());
  }
}

// While flows are opened, an ACK comes as the SYN of its flow.
uint16_t as_syns(uint16_t, uint16_t, rte_mbuf** packets, uint16_t count, uint16_t, void*) {
  for (uint16_t i = 0; i < count; ++i) {
    auto& tcp = header_at<TcpHeader>(bytes_of(packets[i]), sizeof(EthernetHeader) + sizeof(Ipv4Header));
    ChecksumDelta delta;
    tcp.checksum = delta.replace(be16(0x5000 | kTcpAck), be16(0x5000 | kTcpSyn)).apply(tcp.checksum);
    tcp.flags = kTcpSyn;
  }
  return count;
}

struct Sample {
  std::array<double, kWorkers>
      cycles{};  // of a worker's own time, by packet given to a guest; 0: it did not run
  std::array<double, kWorkers> mpps{};  // packets given to guests, in the time that passed
};

// Two workers, each with a service; `crossed`: each owns the service that the other one's queue is fed with.
class Stage {
 public:
  Stage(NicPort& nic, rte_mempool* pool, bool crossed)
      : ports_(kWorkers * kSlotsEach),
        group_({.workers = kWorkers,
                .each = {.slots = kWorkers * kSlotsEach,
                         .services = kWorkers,
                         .held_syns_max = 1024,
                         .config = {.handshake_timeout_ns = 3600 * kNsPerSecond,
                                    .idle_timeout_ns = 3600 * kNsPerSecond},
                         .flow_hash_key = {0x0123456789abcdef, 0xfedcba9876543210},
                         .pool = pool}},
               {.nic = &nic, .steering = &steering_, .board = &board_}) {
    std::vector<SteeringService> services;
    for (uint16_t n = 0; n < kWorkers; ++n) {
      services.push_back({.vip = be32(kBenchVip),
                          .port = be16(static_cast<uint16_t>(kBenchPort + n)),
                          .worker = static_cast<uint16_t>(crossed ? 1 - n : n),
                          .guest_ip = be32(kBenchVip),
                          .guest_port = be16(static_cast<uint16_t>(kBenchPort + n)),
                          .gateway_ip = be32(0x0a000001),
                          .in_flight_soft = UINT32_MAX,
                          .hold_syns_max = 1024,
                          .hold_time_max_ns = kNsPerSecond});
    }
    std::vector<SteeringSlot> slots(ports_.size());
    for (uint16_t slot = 0; slot < slots.size(); ++slot) {
      slots[slot] = {Generation{1}, ServiceIndex{static_cast<uint16_t>(slot / kSlotsEach)},
                     SlotRole::kAccepting};
    }
    steering_.publish(SteeringTable(std::move(services), std::move(slots)));
  }

  // Every instance ready, every flow open. In turns, on this thread.
  bool warm_up(uint16_t port_id) {
    std::array<const rte_eth_rxtx_callback*, kWorkers> callbacks{};
    for (uint16_t queue = 0; queue < kWorkers; ++queue) {
      callbacks[queue] = rte_eth_add_rx_callback(port_id, queue, as_syns, nullptr);
    }
    for (uint16_t slot = 0; slot < ports_.size(); ++slot) {
      for (auto* ring : group_.port_messages()) {
        CHECK(ring->push({.kind = PortMessage::Kind::kUp, .slot = slot, .port = &ports_[slot]}));
      }
    }
    const auto warm = [&] {
      return board_.worker(0).flows.get() + board_.worker(1).flows.get() >= kWorkers * kFlows && all_ready();
    };
    for (int turns = 0; turns < 1'000'000 && !warm(); ++turns) both_turn();
    for (uint16_t queue = 0; queue < kWorkers; ++queue) {
      rte_eth_remove_rx_callback(port_id, queue, callbacks[queue]);
    }
    for (int turns = 0; turns < 10'000; ++turns) both_turn();
    for (SinkPort& port : ports_) port.answers(false);
    return warm();
  }

  // Worker 0 on this lcore, worker 1 on the other one; who does not run idles.
  Sample measure(bool first, bool second) {
    stop_.set(0);
    const auto other = [](void* stage) {
      static_cast<Stage*>(stage)->run(1);
      return 0;
    };
    if (second) rte_eal_remote_launch(other, this, 1);
    const uint64_t end_ns = monotonic_ns() + kWindowNs;
    if (first) {
      until_ns_ = end_ns;
      run(0);
    } else {
      nap(kWindowNs);
    }
    stop_.publish(1);
    rte_eal_wait_lcore(1);
    return sample_;
  }
  [[nodiscard]] uint64_t dropped() const {
    uint64_t sum = 0;
    for (size_t reason = 0; reason < kDropReasons; ++reason)
      sum += board_.dropped(static_cast<DropReason>(reason));
    return sum;
  }

 private:
  bool all_ready() {
    for (uint16_t slot = 0; slot < ports_.size(); ++slot) {
      if (board_.slot(SlotIndex{slot}).ready_generation.get() == 0) return false;
    }
    return true;
  }
  void both_turn() {
    for (size_t number = 0; number < kWorkers; ++number) turn(number);
  }
  void turn(size_t number) {
    group_.worker(number).turn(monotonic_ns());
    LoadRecord record;  // the control thread's part
    while (group_.load_rings()[number]->pop(record)) {
    }
  }
  static double own_s() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }
  void run(size_t number) {
    const WorkerLoad& load = board_.worker(number);
    SpscRing<LoadRecord>* const records = group_.load_rings()[number];
    Worker& worker = group_.worker(number);
    const uint64_t seen = load.packets_to_guest.get();
    const double own_before = own_s();
    const uint64_t begin_ns = monotonic_ns();
    uint64_t now_ns = begin_ns;
    LoadRecord record;
    while (number == 0 ? now_ns < until_ns_ : stop_.observe() == 0) {
      now_ns = monotonic_ns();
      worker.turn(now_ns);
      for (int taken = 0; taken < 8 && records->pop(record);) ++taken;
    }
    const auto packets = static_cast<double>(load.packets_to_guest.get() - seen);
    sample_.cycles[number] = (own_s() - own_before) * static_cast<double>(rte_get_tsc_hz()) / packets;
    sample_.mpps[number] = packets * 1e3 / static_cast<double>(monotonic_ns() - begin_ns);
  }

  LoadBoard board_{kWorkers * kSlotsEach, kWorkers, kWorkers};
  Published<SteeringTable> steering_{kWorkers};
  std::vector<SinkPort> ports_;
  WorkerGroup group_;
  Counter stop_;
  uint64_t until_ns_ = 0;
  Sample sample_;
};

struct WayFigures {
  std::array<std::array<std::vector<double>, kWorkers>, kWayNames.size()> cycles;
  std::array<std::array<std::vector<double>, kWorkers>, kWayNames.size()> mpps;
  uint64_t dropped = 0;
};

int failed(const std::string& what) {
  std::cerr << "workers_bench: " << what << "\n";
  return 1;
}

Result<WayFigures> run(int samples) {
  const TemporaryDirectory directory;
  const auto file = [&](const char* name) { return directory.path(name); };
  write_frames(file("own-0"), 0, [](uint32_t) { return 0; });
  write_frames(file("own-1"), 0, [](uint32_t) { return 1; });
  write_frames(file("mixed-0"), 1, [](uint32_t n) { return n % 2; });
  write_frames(file("mixed-1"), 1, [](uint32_t n) { return 1 - n % 2; });
  std::vector<std::string> arguments = bench_eal_arguments("workers_bench", "workers");
  arguments.insert(
      arguments.end(),
      {"--lcores=0@0,1@1", "--main-lcore=0",
       "--vdev=net_pcap0,rx_pcap=" + file("own-0") + ",rx_pcap=" + file("own-1") + ",infinite_rx=1",
       "--vdev=net_pcap1,rx_pcap=" + file("mixed-0") + ",rx_pcap=" + file("mixed-1") + ",infinite_rx=1"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    return Error{ErrorCode::kUnavailable, "DPDK did not start"};
  }
  rte_mempool* pool = rte_pktmbuf_pool_create("packets", 4 * kFlows + 32768, 256, 0,
                                              RTE_PKTMBUF_HEADROOM + 128, SOCKET_ID_ANY);
  if (pool == nullptr) return Error{ErrorCode::kLimit, "not enough huge pages"};
  std::vector<std::unique_ptr<NicPort>> nics;
  for (uint16_t port = 0; port < 2; ++port) {
    auto nic = NicPort::start({.port_id = port, .pool = pool, .workers = kWorkers});
    if (!nic) return nic.error();
    nics.push_back(std::make_unique<NicPort>(std::move(nic).value()));
  }
  WayFigures figures;
  const auto take = [&](Way way, const Sample& sample) {
    for (size_t number = 0; number < kWorkers; ++number) {
      if (sample.mpps[number] == 0) continue;
      figures.cycles[static_cast<size_t>(way)][number].push_back(sample.cycles[number]);
      figures.mpps[static_cast<size_t>(way)][number].push_back(sample.mpps[number]);
    }
  };
  std::array stages{std::make_unique<Stage>(*nics[0], pool, false),
                    std::make_unique<Stage>(*nics[0], pool, true),
                    std::make_unique<Stage>(*nics[1], pool, false)};
  auto& [home, crossed, mixed] = stages;
  if (!home->warm_up(0) || !crossed->warm_up(0) || !mixed->warm_up(1)) {
    return Error{ErrorCode::kInternal, "the warm-up does not end"};
  }
  const uint64_t dropped_before = home->dropped() + crossed->dropped() + mixed->dropped();
  for (int number = 0; number < samples; ++number) {
    Sample alone = home->measure(true, false);
    alone.mpps[1] = 0;
    take(Way::kAlone0, alone);
    alone = home->measure(false, true);
    alone.mpps[0] = 0;
    take(Way::kAlone1, alone);
    take(Way::kHome, home->measure(true, true));
    take(Way::kHalf, mixed->measure(true, true));
    take(Way::kForeign, crossed->measure(true, true));
  }
  figures.dropped = home->dropped() + crossed->dropped() + mixed->dropped() - dropped_before;
  for (auto& stage : stages) stage.reset();
  nics.clear();
  rte_eal_cleanup();
  return figures;
}

int report(const WayFigures& measured, const bench::FiguresWanted& wanted) {
  using bench::Better;
  bench::Figures figures("workers_bench");
  nlohmann::ordered_json details;
  std::array<double, kWayNames.size()> cycles{};
  for (size_t way = 0; way < kWayNames.size(); ++way) {
    double rate = 0;
    int counted = 0;
    for (size_t number = 0; number < kWorkers; ++number) {
      const std::vector<double>& samples = measured.cycles[way][number];
      details["samples"][kWayNames[way]].push_back(
          {{"cycles", samples}, {"mpps", measured.mpps[way][number]}});
      if (samples.empty()) continue;
      figures.add(std::string(kWayNames[way]) + ", worker " + std::to_string(number), "cycles/packet",
                  median(samples), Better::kLess);
      cycles[way] += median(samples);
      rate += median(measured.mpps[way][number]);
      ++counted;
    }
    cycles[way] /= std::max(counted, 1);
    figures.add(std::string(kWayNames[way]) + ", together", "million/s", rate, Better::kMore);
  }
  const auto at = [&](Way way) { return cycles[static_cast<size_t>(way)]; };
  figures.add("a packet handed over costs more than at home", "cycles/packet",
              at(Way::kForeign) - at(Way::kHome), Better::kLess);
  figures.add("packets dropped", "packets", static_cast<double>(measured.dropped));
  figures.ratio_at_least("packets per cycle of two workers side by side, to those alone",
                         (at(Way::kAlone0) + at(Way::kAlone1)) / 2 / at(Way::kHome), kTogetherAtLeast);
  return bench::report(figures, wanted, details);
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  CLI::App app("Two workers side by side: what one costs the other, and what a hand-over costs");
  cheshire::bench::FiguresWanted wanted;
  int samples = 7;
  app.add_flag("--json", wanted.json, "print JSON instead of a table");
  app.add_flag("--check", wanted.check, "end non-zero when a bound is missed; the figures in the last line");
  app.add_option("--samples", samples, "samples per way (7)")->check(CLI::Range(1, 50));
  CLI11_PARSE(app, argc, argv);
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) return cheshire::failed("needs two CPUs");
  const auto figures = cheshire::run(samples);
  if (!figures) return cheshire::failed(figures.error().what);
  return cheshire::report(figures.value(), wanted);
}
