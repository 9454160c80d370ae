// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/vhost_own_host.h"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "bench/support/pipeline_case.h"
#include "bench/support/testpmd_peer.h"
#include "check.h"
#include "dataplane/port/vhost_server.h"
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/worker.h"

namespace cheshire {
namespace {

constexpr uint16_t kSmallBuffer = RTE_PKTMBUF_HEADROOM + 128;
constexpr double kStartS = 30;

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

// Answers the parent beside the worker, on the guest's CPU.
void answer_parent(const WorkerLoad& load) {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  ::pthread_setaffinity_np(::pthread_self(), sizeof(first), &first);
  for (std::string line; std::getline(std::cin, line);) {
    const VhostOwnCounts counts{.received = load.nic_rx_packets.get(),
                                .to_guest = load.packets_to_guest.get(),
                                .from_guest = load.packets_from_guest.get(),
                                .back = load.nic_tx_packets.get(),
                                .turns = load.turns.get(),
                                .time_ns = monotonic_ns()};
    std::cout << nlohmann::json(counts).dump() << std::endl;
  }
  ::_exit(0);  // the guest and the memory go with the processes
}

}  // namespace

int run_vhost_own_host(const VhostOwnHost& options) {
  const std::string cpu = std::to_string(::sysconf(_SC_NPROCESSORS_ONLN) - 1);
  std::vector<std::string> arguments = bench_eal_arguments("vhost_bench", "vhost-bench");
  arguments.insert(arguments.end(),
                   {"--lcores=0@" + cpu, "--vdev=net_pcap0,rx_pcap=" + options.pcap + ",infinite_rx=1"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) return failed("DPDK did not start");
  const Traffic traffic{.flows = options.flows};
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
                 .config = {.flows_max = std::max(options.flows, 65536U),
                            .handshake_timeout_ns = 3600 * kNsPerSecond,
                            .idle_timeout_ns = 3600 * kNsPerSecond},
                 .flow_hash_key = {1, 2},
                 .pool = pool},
                {.nic = &nic.value(),
                 .steering = &steering,
                 .port_messages = &to_worker,
                 .load_ring = &load_ring,
                 .board = &board});
  auto server = VhostServer::start({.directory = options.directory,
                                    .slots = 1,
                                    .port_messages = {&from_server},
                                    .downs_acknowledged = [&] { return worker.downs_acknowledged(); }});
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
  const auto warm = [&] { return board.worker(0).flows.get() >= options.flows; };
  if (!turn_for(kStartS, warm))
    return failed("only " + std::to_string(board.worker(0).flows.get()) + " flows open");
  const auto never = [] { return false; };
  turn_for(0.5, never);
  rte_eth_remove_rx_callback(0, 0, callback);
  port.greets = false;
  std::cout << "ready" << std::endl;
  std::thread(answer_parent, std::cref(board.worker(0))).detach();
  for (;;) turn();
}

}  // namespace cheshire
