// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <linux/perf_event.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "bench/support/pipeline_case.h"
#include "bench/support/sink_port.h"
#include "bench/support/testpmd_peer.h"
#include "check.h"
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/worker.h"
#include "handle.h"

namespace cheshire {
namespace {

constexpr uint32_t kBuffersInFlight = 16384;
constexpr uint16_t kSmallBuffer = RTE_PKTMBUF_HEADROOM + 128;
constexpr uint64_t kCountedPackets = 100'000;
constexpr uint64_t kWarmTurnsMax = 20'000'000;

// What the receive callback makes of the established flows' segments while flows are opened.
enum class Feed : uintptr_t { kAsIs, kNothing, kOpenFlows };
Feed g_feed = Feed::kAsIs;

// Before the measurement: an ACK comes as the SYN of its flow, anything else not at all.
uint16_t feed(uint16_t, uint16_t, rte_mbuf** packets, uint16_t count, uint16_t, void*) {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    auto& tcp = header_at<TcpHeader>(bytes_of(packets[i]), sizeof(EthernetHeader) + sizeof(Ipv4Header));
    if (g_feed == Feed::kNothing || tcp.flags != kTcpAck) {
      rte_pktmbuf_free(packets[i]);
      continue;
    }
    tcp.flags = kTcpSyn;
    ChecksumDelta delta;
    tcp.checksum = delta.replace(be16(0x5000 | kTcpAck), be16(0x5000 | kTcpSyn)).apply(tcp.checksum);
    packets[kept++] = packets[i];
  }
  return kept;
}

// Instructions of this thread in user space, where the machine counts them.
class InstructionCounter {
 public:
  InstructionCounter() {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof(attributes);
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.exclude_kernel = 1;
    fd_ = UniqueFd(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0)));
  }
  [[nodiscard]] std::optional<uint64_t> get() const {
    uint64_t count = 0;
    if (!fd_.valid() || ::read(fd_.get(), &count, sizeof(count)) != sizeof(count)) return {};
    return count;
  }

 private:
  UniqueFd fd_;
};

// One worker, its control plane and its guests.
class Stage {
 public:
  Stage(const PipelineCase& wanted, NicPort& nic, rte_mempool* pool)
      : wanted_(wanted),
        board_(wanted.instances, 1),
        load_ring_(65536),
        messages_(std::bit_ceil(4U * wanted.instances)),
        steering_(1),
        ports_(wanted.instances),
        worker_(
            std::make_unique<Worker>(WorkerOptions{.slots = wanted.instances,
                                                   .services = 1,
                                                   .held_syns_max = 1024,
                                                   .config = {.flows_max = flows_max(),
                                                              .handshake_timeout_ns = 3600 * kNsPerSecond,
                                                              .idle_timeout_ns = 3600 * kNsPerSecond},
                                                   .flow_hash_key = {0x0123456789abcdef, 0xfedcba9876543210},
                                                   .pool = pool},
                                     WorkerLinks{.nic = &nic,
                                                 .steering = &steering_,
                                                 .port_messages = &messages_,
                                                 .load_ring = &load_ring_,
                                                 .board = &board_})) {
    publish();
  }

  // Every instance ready, every established flow open.
  bool warm_up() {
    g_feed = Feed::kNothing;
    for (uint16_t slot = 0; slot < wanted_.instances; ++slot) {
      CHECK(messages_.push({.kind = PortMessage::Kind::kUp, .slot = slot, .port = &ports_[slot]}));
    }
    const auto is_ready = [&](uint16_t slot) {
      return board_.slot(SlotIndex{slot}).ready_generation.get() != 0;
    };
    for (uint16_t slot = 0; slot < wanted_.instances; ++slot) {
      if (!turn_until([&] { return is_ready(slot); })) return false;
    }
    g_feed = Feed::kOpenFlows;
    const bool established = wanted_.traffic.kind != "syn" && wanted_.traffic.kind != "null";
    // Zipf does not draw every flow.
    const uint64_t seen = board_.worker(0).nic_rx_packets.get();
    if (established && !turn_until([&] {
          return board_.worker(0).nic_rx_packets.get() - seen >= 2 * established_frames();
        })) {
      return false;
    }
    g_feed = Feed::kNothing;
    for (int turn = 0; turn < 20000; ++turn) this->turn();
    for (SinkPort& port : ports_) port.answers(false);
    g_feed = Feed::kAsIs;
    return true;
  }

  void turn() {
    worker_->turn(monotonic_ns());
    LoadRecord record;
    // The control thread's part; here it is paid for by the worker's core.
    for (int records = 0; records < 8 && load_ring_.pop(record);) ++records;
  }
  [[nodiscard]] const WorkerLoad& load() const { return board_.worker(0); }
  [[nodiscard]] uint64_t drops() const {
    uint64_t sum = 0;
    for (const Counter& drop : board_.worker(0).drops) sum += drop.get();
    return sum;
  }
  [[nodiscard]] bool adds_up() const {
    const WorkerLoad& load = board_.worker(0);
    return load.nic_rx_packets.get() + load.packets_from_guest.get() + load.generated.get() ==
           load.nic_tx_packets.get() + load.packets_to_guest.get() + drops() + load.held_packets.get();
  }

 private:
  [[nodiscard]] uint32_t flows_max() const {
    const uint32_t flows = wanted_.traffic.flows + (wanted_.traffic.kind == "syn" ? kSynFrames : 0) +
                           (wanted_.traffic.kind == "half_syn" ? kSynFrames / 2 : 0);
    return std::max(flows, 65536U);
  }
  [[nodiscard]] uint64_t established_frames() const {
    return frames_of(wanted_.traffic) / (wanted_.traffic.kind == "half_syn" ? 2 : 1);
  }
  template <typename Done>
  bool turn_until(Done&& done) {
    for (uint64_t turns = 0; !done(); ++turns) {
      if (turns == kWarmTurnsMax) return false;
      turn();
    }
    return true;
  }

  void publish() {
    SteeringService service{.vip = be32(kBenchVip),
                            .port = be16(kBenchPort),
                            .guest_ip = be32(wanted_.mapped ? kBenchGuest : kBenchVip),
                            .guest_port = be16(wanted_.mapped ? kBenchGuestPort : kBenchPort),
                            .gateway_ip = be32(0x0a000001),
                            .in_flight_soft = UINT32_MAX,
                            .hold_syns_max = 1024,
                            .hold_time_max_ns = kNsPerSecond};
    std::vector<SteeringSlot> slots(wanted_.instances);
    for (SteeringSlot& slot : slots) slot = {Generation{1}, ServiceIndex{0}, SlotRole::kAccepting};
    steering_.publish(SteeringTable({service}, std::move(slots)));
  }

  const PipelineCase wanted_;
  LoadBoard board_;
  SpscRing<LoadRecord> load_ring_;
  SpscRing<PortMessage> messages_;
  Published<SteeringTable> steering_;
  std::vector<SinkPort> ports_;
  std::unique_ptr<Worker> worker_;
};

// Time of this thread on its CPU, in cycles of the time stamp counter: what others take of a shared machine
// is not counted.
double own_cycles() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9) *
         static_cast<double>(rte_get_tsc_hz());
}

struct Sample {
  double cycles = 0;
  std::optional<double> instructions;
  uint64_t packets = 0;
};

// By name what callgrind counts: bench/pipeline_bench.cc.
[[gnu::noinline]] void measured_turns(Stage& stage, uint64_t until_packets) {
  while (stage.load().nic_rx_packets.get() < until_packets) stage.turn();
}

Sample measure(Stage& stage, uint64_t packets, const InstructionCounter& instructions) {
  const uint64_t seen = stage.load().nic_rx_packets.get();
  const auto instructions_before = instructions.get();
  const double begin = own_cycles();
  measured_turns(stage, seen + packets);
  const double end = own_cycles();
  const auto instructions_after = instructions.get();
  Sample sample;
  sample.packets = stage.load().nic_rx_packets.get() - seen;
  const auto count = static_cast<double>(sample.packets);
  sample.cycles = (end - begin) / count;
  if (instructions_before && instructions_after) {
    sample.instructions = static_cast<double>(*instructions_after - *instructions_before) / count;
  }
  return sample;
}

int failed(const std::string& what) {
  std::cout << nlohmann::json{{"error", what}}.dump() << std::endl;
  return 1;
}

}  // namespace

int run_pipeline_case(const PipelineCase& wanted, const PipelineRun& run) {
  const auto& [pcap, quick, counted] = run;
  const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  std::vector<std::string> arguments = bench_eal_arguments("pipeline_bench", "pipeline");
  if (counted) {
    std::erase(arguments, "--in-memory");
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf", "-m", "768"});
  }
  arguments.insert(arguments.end(),
                   {"--lcores=0@" + std::to_string(cpus - 1), device_of(wanted.traffic, pcap)});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) return failed("DPDK did not start");
  const uint16_t room = wanted.traffic.kind == "imix" ? RTE_MBUF_DEFAULT_BUF_SIZE : kSmallBuffer;
  rte_mempool* pool = rte_pktmbuf_pool_create("packets", frames_of(wanted.traffic) + kBuffersInFlight, 256, 0,
                                              room, SOCKET_ID_ANY);
  if (pool == nullptr) return failed("not enough huge pages");
  {
    auto nic = NicPort::start({.port_id = 0, .pool = pool});
    if (!nic) return failed(nic.error().what);
    const rte_eth_rxtx_callback* callback = rte_eth_add_rx_callback(0, 0, feed, nullptr);
    const InstructionCounter instructions;
    nlohmann::json cycles = nlohmann::json::array();
    nlohmann::json instructions_told;
    uint64_t drops = 0;
    uint64_t flows = 0;
    const bool fresh_each_time = wanted.traffic.kind == "syn" || wanted.traffic.kind == "half_syn";
    uint64_t packets =
        fresh_each_time ? kSynFrames - 64 : std::max<uint64_t>(4'000'000, 2 * wanted.traffic.flows);
    if (counted) packets = kCountedPackets;
    std::unique_ptr<Stage> stage;
    uint64_t measured = 0;
    for (int number = counted ? 1 : quick ? 3 : 5; number > 0; --number) {
      if (stage == nullptr || fresh_each_time) {
        stage.reset();
        if (callback == nullptr) callback = rte_eth_add_rx_callback(0, 0, feed, nullptr);
        stage = std::make_unique<Stage>(wanted, nic.value(), pool);
        if (!stage->warm_up()) return failed("the warm-up does not end");
        rte_eth_remove_rx_callback(0, 0, callback);
        callback = nullptr;
        if (!fresh_each_time && !counted) static_cast<void>(measure(*stage, packets / 4, instructions));
      }
      const uint64_t drops_before = stage->drops();
      const Sample sample = measure(*stage, packets, instructions);
      cycles.push_back(sample.cycles);
      measured += sample.packets;
      if (sample.instructions) instructions_told = *sample.instructions;
      drops += stage->drops() - drops_before;
      for (int turn = 0; turn < 10000 && flows == 0 && wanted.traffic.kind != "null"; ++turn) {
        stage->turn();
        flows = stage->load().flows.get();
      }
      if (!stage->adds_up()) return failed("packets are lost or doubled");
    }
    stage.reset();
    std::cout << nlohmann::json{{"cycles_per_packet", cycles},
                                {"instructions_per_packet", instructions_told},
                                {"packets", measured},
                                {"drops", drops},
                                {"flows", flows},
                                {"tsc_hz", rte_get_tsc_hz()}}
                     .dump()
              << std::endl;
  }
  rte_eal_cleanup();
  return 0;
}

}  // namespace cheshire
