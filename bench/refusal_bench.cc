// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How fast one worker rejects: bursts of 32 packets on an in-memory port (net_ring), the whole of a turn from
// the port's receive ring to its transmit ring. Each packet is of another client.
//
//   reset       SYNs answered with RST
//   syn_ack     SYNs answered with a SYN-ACK that carries a cookie
//   page        first data of such connections, answered with a 503 of one segment
//   challenge   SYNs of unknown addresses, answered with a challenge
//   silent      SYNs of an address that was refused too often: dropped
//
// The figure is packets a second from the median turn: a turn that was interrupted by something else on the
// machine says nothing of the worker. p99 is of turns, interrupted ones included.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "dataplane/packet/http_refusal.h"
#include "dataplane/worker/worker.h"
#include "tests/packets/dpdk.h"
#include "units.h"

namespace cheshire::bench {
namespace {

using test::Bytes;
using test::Dpdk;
using test::TcpFrame;

constexpr size_t kTurns = 20'000;
constexpr double kFastEnough = 2e6;  // rejections a second and core

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

struct Figures {
  double per_second = 0;
  double ns_each = 0;
  double p50_us = 0;
  double p99_us = 0;
  size_t answered = 0;
};

Figures measure(const Case& c) {
  Stage stage(c.rules);
  std::vector<uint64_t> turns_ns;
  turns_ns.reserve(kTurns);
  Figures figures;
  uint32_t number = 0;
  for (size_t turn = 0; turn < kTurns; ++turn) {
    for (size_t i = 0; i < kBurst; ++i) {
      CHECK(Dpdk::get().put_on_wire(frame_of(c, number++, monotonic_ns())));
    }
    const uint64_t began_ns = monotonic_ns();
    static_cast<void>(stage.worker().turn(began_ns));
    turns_ns.push_back(monotonic_ns() - began_ns);
    figures.answered += Dpdk::get().take_from_wire().size();
  }
  std::sort(turns_ns.begin(), turns_ns.end());
  const auto at = [&](double share) {
    return static_cast<double>(turns_ns[static_cast<size_t>(share * static_cast<double>(kTurns - 1))]);
  };
  figures.ns_each = at(0.5) / kBurst;
  figures.per_second = 1e9 / figures.ns_each;
  figures.p50_us = at(0.5) / 1e3;
  figures.p99_us = at(0.99) / 1e3;
  return figures;
}

int bench_main(bool check) {
  const RefusalPage page = make_refusal_page(1, 2, "This service is busy. Please try again.\n");
  const std::vector<Case> cases = {
      {"reset", {.action = OverloadAction::kReset}},
      {"syn_ack", {.action = OverloadAction::kHttp503, .page = page}},
      {"page", {.action = OverloadAction::kHttp503, .page = page}, true},
      {"challenge", {.challenge = Challenge::kWake}},
      {"silent", {.refusals = {.interval_ns = kNsPerSecond, .burst = 1}}, false, true},
  };
  std::printf("%-10s %14s %10s %12s %12s %10s\n", "case", "packets/s", "ns each", "turn p50 us",
              "turn p99 us", "answered");
  bool fine = true;
  std::string last = "refusal_bench:";
  for (const Case& c : cases) {
    const Figures figures = measure(c);
    std::printf("%-10s %14.0f %10.1f %12.2f %12.2f %10zu\n", c.name, figures.per_second, figures.ns_each,
                figures.p50_us, figures.p99_us, figures.answered);
    const bool stateless_answer = std::strcmp(c.name, "page") != 0;
    if (stateless_answer && figures.per_second < kFastEnough) fine = false;
    if (figures.p99_us > 100) fine = false;
    last += " " + std::string(c.name) + " " + std::to_string(static_cast<long>(figures.per_second)) + "/s";
  }
  std::printf("%s %s\n", last.c_str(), fine ? "(fine)" : "(missed: 2000000/s, turn p99 100 us)");
  Dpdk::end();
  return check && !fine ? 1 : 0;
}

}  // namespace
}  // namespace cheshire::bench

int main(int argc, char** argv) {
  return cheshire::bench::bench_main(argc > 1 && std::string(argv[1]) == "--check");
}
