// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How fast one worker rejects: bursts of 64 packets on an in-memory port (net_ring), the whole of a turn from
// the port's receive ring to its transmit ring. Each packet is of another client.
//
//   reset       SYNs answered with RST
//   syn_ack     SYNs answered with a SYN-ACK that carries a cookie
//   page        first data of such connections, answered with a 503 of one segment
//   challenge   SYNs of unknown addresses, answered with a challenge
//   silent      SYNs of an address that was refused too often: dropped
//
// In turns with these, on the same port: the floor, which is to take 64 SYNs off the port and to send each back with
// its MAC addresses swapped, as dpdk-testpmd does in its mode macswap. The bounds of --check are ratios to it.
//
// The figure is packets a second from the median turn: a turn that was interrupted by something else on the
// machine says nothing of the worker. p99 is of turns, interrupted ones included.
#include <rte_mbuf.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/support/figures.h"
#include "dataplane/packet/http_refusal.h"
#include "dataplane/worker/worker.h"
#include "tests/support/dpdk.h"
#include "units.h"

namespace cheshire::bench {
namespace {

using test::Bytes;
using test::Dpdk;
using test::TcpFrame;

constexpr size_t kBlocks = 20;
constexpr size_t kTurnsOfABlock = 1'000;
// By the floor: of the median turn, and of the one of a hundred that took longest.
constexpr double kTurnToFloorMax = 50;
constexpr double kTailToFloorMax = 50;

struct Case {
  const char* name;
  AdmissionRules rules;
  bool sends_data = false;
  bool one_source = false;
};

class Stage {
 public:
  explicit Stage(const AdmissionRules& rules)
      : board_(1, 1),
        load_ring_(1024),
        port_messages_(64),
        steering_(1),
        worker_(WorkerOptions{.number = 0,
                              .slots = 1,
                              .services = 1,
                              .held_syns_max = 16,
                              .config = {.flows_max = 65536},
                              .flow_hash_key = {1, 2},
                              .cookie_key = kCookieKey,
                              .pool = Dpdk::get().pool()},
                WorkerLinks{.nic = &Dpdk::get().nic(),
                            .steering = &steering_,
                            .port_messages = &port_messages_,
                            .load_ring = &load_ring_,
                            .board = &board_}) {
    SteeringService service{.vip = test::kVip,
                            .port = be16(test::kVipPort),
                            .guest_ip = test::kGuestIp,
                            .guest_port = be16(test::kGuestPort)};
    service.rules_given = std::make_shared<const AdmissionRules>(rules);
    // Nobody is there, and nobody may come: the slot is not the service's.
    steering_.publish(SteeringTable({service}, std::vector<SteeringSlot>(1)));
    static_cast<void>(worker_.turn(monotonic_ns()));
  }

  static constexpr HashKey kCookieKey{3, 4};
  Worker& worker() { return worker_; }

 private:
  LoadBoard board_;
  SpscRing<LoadRecord> load_ring_;
  SpscRing<PortMessage> port_messages_;
  Published<SteeringTable> steering_;
  Worker worker_;
};

Bytes frame_of(const Case& c, uint32_t number, uint64_t now_ns) {
  const be32 ip(0x0a000000 + (c.one_source ? 1 : number % 60'000));
  const auto port = static_cast<uint16_t>(1024 + number % 50'000);
  TcpFrame frame{
      .ip = {.source = ip},
      .tcp = {.source_port = port, .sequence = number, .flags = kTcpSyn, .options = {2, 4, 5, 0xb4}}};
  if (!c.sends_data) return build(frame);
  SynCookies cookies(Stage::kCookieKey, WorkerConfig{}.cookie_period_ns);
  const uint32_t cookie = cookies.make(CookieKind::kHandshake, {ip, be16(port), {0}}, 3, now_ns);
  frame.tcp = {
      .source_port = port, .sequence = number, .acknowledgment = cookie + 1, .flags = kTcpAck | kTcpPsh};
  frame.payload = test::text("GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: bench\r\n\r\n");
  return build(frame);
}

// What one of the cases, or the floor, took.
struct Turns {
  std::vector<uint64_t> took_ns;
  size_t answered = 0;

  [[nodiscard]] double at_ns(double share) {
    std::sort(took_ns.begin(), took_ns.end());
    return static_cast<double>(took_ns[static_cast<size_t>(share * static_cast<double>(took_ns.size() - 1))]);
  }
};

// `turn` is what is timed; before it lie kBurst frames of the case on the wire.
template <typename Turn>
void take_block(const Case& c, uint32_t& number, Turns& turns, Turn&& turn) {
  for (size_t at = 0; at < kTurnsOfABlock; ++at) {
    for (size_t i = 0; i < kBurst; ++i) {
      CHECK(Dpdk::get().put_on_wire(frame_of(c, number++, monotonic_ns())));
    }
    const uint64_t began_ns = monotonic_ns();
    turn(began_ns);
    turns.took_ns.push_back(monotonic_ns() - began_ns);
    turns.answered += Dpdk::get().take_from_wire().size();
  }
}

void send_back(const NicQueue& queue) {
  std::array<rte_mbuf*, kBurst> packets{};
  const uint16_t count = queue.receive(packets.data(), kBurst);
  for (uint16_t i = 0; i < count; ++i) {
    auto& ethernet = *rte_pktmbuf_mtod(packets[i], EthernetHeader*);
    std::swap(ethernet.source, ethernet.destination);
  }
  const uint16_t sent = queue.transmit(packets.data(), count);
  rte_pktmbuf_free_bulk(packets.data() + sent, count - sent);
}

int bench_main(const FiguresWanted& wanted) {
  const RefusalPage page = make_refusal_page(1, 2, "This service is busy. Please try again.\n");
  const std::vector<Case> cases = {
      {"reset", {.action = OverloadAction::kReset}},
      {"syn_ack", {.action = OverloadAction::kHttp503, .page = page}},
      {"page", {.action = OverloadAction::kHttp503, .page = page}, true},
      {"challenge", {.challenge = Challenge::kWake}},
      {"silent", {.refusals = {.interval_ns = kNsPerSecond, .burst = 1}}, false, true},
  };
  std::vector<std::unique_ptr<Stage>> stages;
  for (const Case& c : cases) stages.push_back(std::make_unique<Stage>(c.rules));
  std::vector<Turns> turns(cases.size());
  Turns floor;
  const NicQueue queue = Dpdk::get().nic().queue(0);
  uint32_t number = 0;
  for (size_t block = 0; block < kBlocks; ++block) {
    take_block(cases.front(), number, floor, [&](uint64_t) { send_back(queue); });
    for (size_t i = 0; i < cases.size(); ++i) {
      take_block(cases[i], number, turns[i],
                 [&](uint64_t now_ns) { static_cast<void>(stages[i]->worker().turn(now_ns)); });
    }
  }
  Figures figures("refusal_bench");
  const auto add = [&](const std::string& name, Turns& of, Better better) {
    figures.add(name + ": a second and core", "million", kBurst * 1e3 / of.at_ns(0.5), better);
    figures.add(name + ": turn of a burst, p50", "us", of.at_ns(0.5) / 1e3);
    figures.add(name + ": turn of a burst, p99", "us", of.at_ns(0.99) / 1e3);
    figures.add(name + ": packets that went out", "packets", static_cast<double>(of.answered));
  };
  add("packet sent back with its MACs swapped (the floor)", floor, Better::kNeither);
  for (size_t i = 0; i < cases.size(); ++i) {
    add(cases[i].name, turns[i], Better::kMore);
    figures.ratio_at_most(std::string(cases[i].name) + ", p50, to the floor's",
                          turns[i].at_ns(0.5) / floor.at_ns(0.5), kTurnToFloorMax);
    figures.ratio_at_most(std::string(cases[i].name) + ", p99, to the floor's",
                          turns[i].at_ns(0.99) / floor.at_ns(0.99), kTailToFloorMax);
  }
  stages.clear();
  Dpdk::end();
  return report(figures, wanted);
}

}  // namespace
}  // namespace cheshire::bench

int main(int argc, char** argv) {
  cheshire::bench::FiguresWanted wanted;
  CLI::App app("How fast one worker rejects, beside sending the packets back as they came");
  app.add_flag("--json", wanted.json, "print JSON instead of a table");
  app.add_flag("--check", wanted.check, "end non-zero when a bound is missed; the figures in the last line");
  CLI11_PARSE(app, argc, argv);
  return cheshire::bench::bench_main(wanted);
}
