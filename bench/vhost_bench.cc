// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The whole path to a guest and back: net_pcap in a circle, the real worker, rte_vhost, and dpdk-testpmd on
// virtio-user as a fast guest that swaps the 5-tuple, so that its answers belong to the flow. Beside it, in the
// same run and with the same guest, dpdk-testpmd as the host (net_vhost, macswap).
//
//   scripts/hugepages 2048 build/bench/vhost_bench           a table
//   … --json, --check                                        as pipeline_bench
//
// Host and guest each have a CPU of their own where there are two; figures are packets that came back, per
// second of the clock, medians over the runs, Cheshire's and testpmd's in turns.
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <thread>

#include "bench/pipeline_case.h"
#include "bench/statistics.h"
#include "bench/testpmd_peer.h"
#include "check.h"
#include "dataplane/packet_bytes.h"
#include "dataplane/vhost_server.h"
#include "dataplane/worker.h"
#include "tests/support/temporary_directory.h"

namespace cheshire {
namespace {

constexpr uint16_t kSmallBuffer = RTE_PKTMBUF_HEADROOM + 128;
constexpr double kMeasureS = 2;
constexpr double kStartS = 30;

struct Options {
  bool json = false;
  bool check = false;
  uint32_t runs = 3;
  std::vector<uint32_t> flows = {10, 1000, 100000, 1000000};
  std::string pcap;  // the child's side
  std::string directory;
  uint32_t own_flows = 0;
};

// testpmd answers a SYN with a SYN: what the guest's stack would make of it is put in here.
class GreetingPort final : public GuestPort {
 public:
  void set_port(GuestPort* port) { port_ = port; }
  uint16_t to_guest(rte_mbuf** packets, uint16_t count) override { return port_->to_guest(packets, count); }
  uint16_t from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) override {
    const uint16_t taken = port_->from_guest(pool, packets, count);
    if (!greets) return taken;
    for (uint16_t i = 0; i < taken; ++i) {
      if (packets[i]->data_len < 54) continue;
      auto& tcp = header_at<TcpHeader>(bytes_of(packets[i]), 34);
      if (tcp.flags == kTcpSyn) tcp.flags = kTcpSyn | kTcpAck;
    }
    return taken;
  }
  bool greets = true;

 private:
  GuestPort* port_ = nullptr;
};

// While flows are opened, each ACK comes as the SYN of its flow.
uint16_t as_syn(uint16_t, uint16_t, rte_mbuf** packets, uint16_t count, uint16_t, void*) {
  for (uint16_t i = 0; i < count; ++i) {
    auto& tcp = header_at<TcpHeader>(bytes_of(packets[i]), 34);
    tcp.flags = kTcpSyn;
    ChecksumDelta delta;
    tcp.checksum = delta.replace(be16(0x5000 | kTcpAck), be16(0x5000 | kTcpSyn)).apply(tcp.checksum);
  }
  return count;
}

int failed(const std::string& what) {
  std::cout << "\n" << nlohmann::json{{"error", what}}.dump() << std::endl;
  return 1;
}

// The child: the data plane. The guest is started by the parent when the socket is there.
int run_own(const Options& options) {
  const std::string cpu = std::to_string(::sysconf(_SC_NPROCESSORS_ONLN) - 1);
  std::vector<std::string> arguments = bench_eal_arguments("vhost_bench", "vhost-bench");
  arguments.insert(arguments.end(),
                   {"--lcores=0@" + cpu, "--vdev=net_pcap0,rx_pcap=" + options.pcap + ",infinite_rx=1"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) return failed("DPDK did not start");
  const Traffic traffic{.flows = options.own_flows};
  rte_mempool* pool =
      rte_pktmbuf_pool_create("packets", frames_of(traffic) + 32768, 256, 0, kSmallBuffer, SOCKET_ID_ANY);
  if (pool == nullptr) return failed("not enough huge pages");
  auto nic = NicPort::start({.port_id = 0, .pool = pool});
  if (!nic) return failed(nic.error().what);

  LoadBoard board(1, 1);
  SpscRing<LoadRecord> load_ring(65536);
  SpscRing<PortMessage> from_server(64);
  SpscRing<PortMessage> to_worker(64);
  Published<SteeringTable> steering(1);
  steering.publish(SteeringTable({{.vip = be32(kBenchVip),
                                   .port = be16(kBenchPort),
                                   .guest_ip = be32(kBenchVip),
                                   .guest_port = be16(kBenchPort),
                                   .gateway_ip = be32(0x0a000001),
                                   .in_flight_soft = UINT32_MAX,
                                   .hold_syns_max = 1024,
                                   .hold_time_max_ns = kNsPerSecond}},
                                 {{Generation{1}, ServiceIndex{0}, SlotRole::kAccepting}}));
  Worker worker({.slots = 1,
                 .services = 1,
                 .held_syns_max = 1024,
                 .config = {.flows_max = std::max(options.own_flows, 65536U),
                            .handshake_timeout_ns = 3600 * kNsPerSecond,
                            .idle_timeout_ns = 3600 * kNsPerSecond},
                 .flow_hash_key = {1, 2},
                 .pool = pool},
                {.nic = &nic.value(),
                 .steering = &steering,
                 .port_messages = &to_worker,
                 .load_ring = &load_ring,
                 .board = &board});
  Counter leaving;
  auto server =
      VhostServer::start({.directory = options.directory,
                          .slots = 1,
                          .port_messages = {&from_server},
                          .downs_acknowledged = [&] {
                            return leaving.observe() != 0 ? UINT64_MAX : worker.downs_acknowledged();
                          }});
  if (!server) return failed(server.error().what);
  std::cout << "listening" << std::endl;

  GreetingPort port;
  const auto turn = [&] {
    PortMessage message;
    while (from_server.pop(message)) {
      if (message.kind == PortMessage::Kind::kUp) port.set_port(std::exchange(message.port, &port));
      CHECK(to_worker.push(message));
    }
    worker.turn(monotonic_ns());
    LoadRecord record;
    while (load_ring.pop(record)) {
    }
  };
  const auto turn_for = [&](double seconds, auto&& done) {
    const uint64_t until_ns = monotonic_ns() + static_cast<uint64_t>(seconds * 1e9);
    while (!done()) {
      if (monotonic_ns() >= until_ns) return false;
      turn();
    }
    return true;
  };
  const rte_eth_rxtx_callback* callback = rte_eth_add_rx_callback(0, 0, as_syn, nullptr);
  const uint64_t flows_wanted = options.own_flows;
  const auto warm = [&] { return board.worker(0).flows.get() >= flows_wanted; };
  if (!turn_for(kStartS, warm))
    return failed("only " + std::to_string(board.worker(0).flows.get()) + " flows open");
  const auto never = [] { return false; };
  turn_for(0.5, never);
  rte_eth_remove_rx_callback(0, 0, callback);
  port.greets = false;
  turn_for(0.5, never);
  const uint64_t back = board.worker(0).nic_tx_packets.get();
  const uint64_t begin_ns = monotonic_ns();
  turn_for(kMeasureS, never);
  const double seconds = static_cast<double>(monotonic_ns() - begin_ns) * 1e-9;
  const double rate = static_cast<double>(board.worker(0).nic_tx_packets.get() - back) / seconds;
  std::cout << "\n" << nlohmann::json{{"packets_per_second", rate}}.dump() << std::endl;
  leaving.publish(1);
  ::_exit(0);  // the guest and the memory go with the processes
}

// The guest, on the first CPU.
std::vector<std::string> guest_arguments(const std::string& socket) {
  std::vector<std::string> arguments = bench_eal_arguments("dpdk-testpmd", "vhost-guest");
  arguments.insert(arguments.end(),
                   {"--lcores=0@0,1@0", "--single-file-segments", "-m", "256",
                    "--vdev=net_virtio_user0,path=" + socket + ",queue_size=1024", "--", "--auto-start",
                    "--forward-mode=5tswap", "--no-flush-rx", "--total-num-mbufs=16384"});
  return arguments;
}

double own_rate(uint32_t flows, const std::string& pcap, const std::string& directory, std::string& why) {
  BenchChild host(
      {"/proc/self/exe", "--own-flows", std::to_string(flows), "--pcap", pcap, "--directory", directory});
  if (!host.wait_for("listening", kStartS)) {
    why = host.said();
    return 0;
  }
  BenchChild guest(guest_arguments(directory + "/slot-0.sock"));
  host.wait_for_end(kStartS + 20);
  const size_t at = host.said().rfind("\n{");
  const auto told =
      nlohmann::json::parse(at == std::string::npos ? "" : host.said().substr(at), nullptr, false);
  if (told.is_discarded() || !told.contains("packets_per_second")) {
    why = host.said() + guest.said();
    return 0;
  }
  return told.at("packets_per_second");
}

// Packets that port 1, the guest's, received between two looks at its statistics, which testpmd prints each
// second of its own.
double testpmd_rate(uint32_t flows, const std::string& pcap, const std::string& directory, std::string& why) {
  const std::string socket = directory + "/testpmd.sock";
  const std::string cpu = std::to_string(::sysconf(_SC_NPROCESSORS_ONLN) - 1);
  std::vector<std::string> arguments = bench_eal_arguments("dpdk-testpmd", "vhost-host");
  arguments.insert(arguments.begin(), {"stdbuf", "-o0"});
  arguments.insert(arguments.end(),
                   {"--lcores=0@0,1@" + cpu, "--vdev=net_pcap0,rx_pcap=" + pcap + ",infinite_rx=1",
                    "--vdev=net_vhost0,iface=" + socket, "--", "--auto-start", "--forward-mode=macswap",
                    "--no-flush-rx", "--mbuf-size=256", "--stats-period=1",
                    "--total-num-mbufs=" + std::to_string(frames_of({.flows = flows}) + 32768)});
  BenchChild host(arguments);
  for (int tries = 0; tries < 3000 && !std::filesystem::exists(socket); ++tries) host.read_some(0.01);
  BenchChild guest(guest_arguments(socket));
  // "… NIC statistics for port 1 … Rx-pps: 4711 …": the last full second counts, after some to begin.
  double rate = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < std::chrono::seconds(7)) host.read_some(0.1);
  const size_t port = host.said().rfind("NIC statistics for port 1",
                                        host.said().size() - std::min<size_t>(host.said().size(), 600));
  const size_t pps = port == std::string::npos ? port : host.said().find("Rx-pps:", port);
  if (pps != std::string::npos) rate = std::strtod(host.said().c_str() + pps + 7, nullptr);
  if (rate == 0) why = "testpmd: " + host.said().substr(0, 600);
  std::error_code ignored;
  std::filesystem::remove(socket, ignored);
  return rate;
}

int run(const Options& options) {
  if (options.own_flows != 0) return run_own(options);
  nlohmann::json rows = nlohmann::json::array();
  for (const uint32_t flows : options.flows) {
    const TemporaryDirectory directory;
    const std::string pcap = directory.path("frames.pcap");
    write_pcap({.flows = flows}, pcap);
    std::vector<double> own;
    std::vector<double> peer;
    std::string why;
    for (uint32_t run = 0; run < options.runs; ++run) {
      std::cerr << flows << " flows, run " << run + 1 << " of " << options.runs << "\n";
      own.push_back(own_rate(flows, pcap, directory.path(), why));
      peer.push_back(testpmd_rate(flows, pcap, directory.path(), why));
    }
    rows.push_back({{"flows", flows},
                    {"packets_per_second", median(own)},
                    {"spread", spread(own)},
                    {"testpmd_packets_per_second", median(peer)},
                    {"testpmd_spread", spread(peer)},
                    {"share", median(own) / median(peer)}});
    if (!why.empty()) rows.back()["error"] = why;
  }
  if (options.json) {
    std::cout << rows.dump(2) << "\n";
  } else {
    for (const auto& row : rows) {
      std::printf(
          "%8u flows: %5.2f Mpps back (spread %2.0f%%), testpmd macswap %5.2f (%2.0f%%), share %3.0f%% %s\n",
          row.at("flows").get<uint32_t>(), row.at("packets_per_second").get<double>() / 1e6,
          100 * row.at("spread").get<double>(), row.at("testpmd_packets_per_second").get<double>() / 1e6,
          100 * row.at("testpmd_spread").get<double>(), 100 * row.at("share").get<double>(),
          row.value("error", "").c_str());
    }
  }
  if (!options.check) return 0;
  const double share = rows.front().at("share");
  const double kept = rows.back().at("packets_per_second").get<double>() /
                      rows.front().at("packets_per_second").get<double>();
  const bool ok = share >= 0.7 && kept >= 0.5;
  std::printf(
      "vhost_bench: %s: share of testpmd %.2f (at least 0.70), most flows to fewest %.2f (at least 0.50)\n",
      ok ? "met" : "MISSED", share, kept);
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  cheshire::Options options;
  CLI::App app("Through a virtio-user guest and back, beside dpdk-testpmd with the same guest");
  app.add_flag("--json", options.json, "print JSON instead of a table");
  app.add_flag("--check", options.check, "end non-zero when a bound is missed; the figures in the last line");
  app.add_option("--runs", options.runs, "runs per figure (3)")->check(CLI::Range(1, 100));
  app.add_option("--flows", options.flows, "numbers of flows (10 1000 100000 1000000)");
  app.add_option("--own-flows", options.own_flows, "one run, in this process")->group("");
  app.add_option("--pcap", options.pcap)->group("");
  app.add_option("--directory", options.directory)->group("");
  CLI11_PARSE(app, argc, argv);
  return cheshire::run(options);
}
