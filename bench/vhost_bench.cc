// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The whole path to a guest and back: net_pcap in a circle, the real worker, rte_vhost, and dpdk-testpmd on
// virtio-user as a fast guest that swaps the 5-tuple, so that its answers belong to the flow. Beside it, in the
// same run and with the same guest, dpdk-testpmd as the host (net_vhost, macswap).
//
//   scripts/hugepages 2300 build/bench/vhost_bench           a table
//   … --json, --check                                        as pipeline_bench
//
// Host and guest each have a CPU of their own where there are two. Both pairs are started, and then take turns on
// these CPUs, a window of a second each, while the other is stopped: what the machine does to one it does to the
// other. Figures are packets that came back, per second of the clock; medians over the windows of all runs, and of
// the shares of testpmd's window that followed.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "bench/support/figures.h"
#include "bench/support/pipeline_case.h"
#include "bench/support/statistics.h"
#include "bench/support/testpmd_peer.h"
#include "bench/support/vanishing_directory.h"
#include "bench/vhost_own_host.h"

namespace cheshire {
namespace {

constexpr double kWindowS = 1;
constexpr double kWarmS = 0.3;  // before each window
constexpr int kWindows = 5;     // of each pair, in each run
constexpr double kStartS = 60;
constexpr double kAnswerS = 5;
constexpr double kShareMin = 0.7;      // of testpmd, at the first number of flows
constexpr double kManyToFewMin = 0.5;  // at the last number of flows, of what comes back at the first

struct Options {
  bench::FiguresWanted wanted;
  uint32_t runs = 2;
  std::vector<uint32_t> flows = {10, 1000, 100000, 1000000};
  VhostOwnHost own;  // the child's side
};

void pause_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
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

struct Seen {
  double packets_back = 0;
  double time_s = 0;
};

// A host and its guest, two processes.
class Pair {
 public:
  virtual ~Pair() = default;
  // What came back so far; nothing, and why() says why, when the host does not answer.
  virtual std::optional<Seen> look() = 0;

  void stop() {
    host_->stop();
    guest_->stop();
  }
  void go_on() {
    guest_->go_on();
    host_->go_on();
  }
  // In packets per second.
  std::optional<double> window() {
    pause_for(kWarmS);
    const auto before = look();
    pause_for(kWindowS);
    const auto after = look();
    if (!before || !after) return {};
    return (after->packets_back - before->packets_back) / (after->time_s - before->time_s);
  }
  [[nodiscard]] std::string why() const {
    return host_->said().substr(0, 600) + (guest_ == nullptr ? "" : guest_->said().substr(0, 600));
  }

 protected:
  void start_host(const std::vector<std::string>& words) { host_ = std::make_unique<BenchChild>(words); }
  void start_guest(const std::string& socket) {
    guest_ = std::make_unique<BenchChild>(guest_arguments(socket));
  }
  std::unique_ptr<BenchChild> host_;
  std::unique_ptr<BenchChild> guest_;
};

class OwnPair final : public Pair {
 public:
  // False: it did not come up.
  bool start(uint32_t flows, const std::string& pcap, const std::string& directory) {
    start_host(
        {"/proc/self/exe", "--own-flows", std::to_string(flows), "--pcap", pcap, "--directory", directory});
    if (!host_->wait_for("listening", kStartS)) return false;
    start_guest(directory + "/slot-0.sock");
    return host_->wait_for("ready\n", kStartS);
  }
  std::optional<Seen> look() override {
    const size_t from = host_->said().size();
    host_->say("");
    if (!host_->wait_for("}", kAnswerS, from)) return {};
    const auto told = nlohmann::json::parse(host_->said().substr(from), nullptr, false);
    if (told.is_discarded()) return {};
    const auto counts = told.get<VhostOwnCounts>();
    return Seen{static_cast<double>(counts.back), static_cast<double>(counts.time_ns) * 1e-9};
  }
};

class TestpmdPair final : public Pair {
 public:
  bool start(uint32_t flows, const std::string& pcap, const std::string& directory) {
    const std::string socket = directory + "/testpmd.sock";
    const std::string cpu = std::to_string(::sysconf(_SC_NPROCESSORS_ONLN) - 1);
    std::vector<std::string> arguments = bench_eal_arguments("dpdk-testpmd", "vhost-host");
    arguments.insert(arguments.begin(), {"stdbuf", "-o0"});
    arguments.insert(arguments.end(),
                     {"--lcores=0@0,1@" + cpu, "--vdev=net_pcap0,rx_pcap=" + pcap + ",infinite_rx=1",
                      "--vdev=net_vhost0,iface=" + socket, "--", "--interactive", "--auto-start",
                      "--forward-mode=macswap", "--no-flush-rx", "--mbuf-size=256",
                      "--total-num-mbufs=" + std::to_string(frames_of({.flows = flows}) + 32768)});
    start_host(arguments);
    const double deadline_s = now_s() + kStartS;
    while (!std::filesystem::exists(socket) && now_s() < deadline_s) host_->read_some(0.01);
    start_guest(socket);
    for (; now_s() < deadline_s; pause_for(0.1)) {
      if (const auto seen = look(); seen && seen->packets_back > 0) return true;
    }
    return false;
  }
  // Port 1 is the guest's: "  RX-packets: 4711       RX-missed: 0 …"
  std::optional<Seen> look() override {
    const size_t from = host_->said().size();
    host_->say("show port stats 1");
    if (!host_->wait_for("TX-packets:", kAnswerS, from)) return {};
    const double time_s = now_s();
    const size_t at = host_->said().find("RX-packets:", from);
    if (at == std::string::npos) return {};
    return Seen{std::strtod(host_->said().c_str() + at + 11, nullptr), time_s};
  }
};

struct Rates {
  std::vector<double> own;
  std::vector<double> testpmd;

  // Of windows that follow each other: what the machine is worth changes by half within minutes.
  [[nodiscard]] std::vector<double> shares() const {
    std::vector<double> shares;
    for (size_t i = 0; i < std::min(own.size(), testpmd.size()); ++i) shares.push_back(own[i] / testpmd[i]);
    return shares;
  }
};

// Nothing went wrong, or what.
std::string measure(uint32_t flows, const std::string& pcap, Rates& rates) {
  const VanishingDirectory sockets;
  OwnPair own;
  TestpmdPair testpmd;
  if (!own.start(flows, pcap, sockets.path())) return own.why();
  own.stop();
  if (!testpmd.start(flows, pcap, sockets.path())) return "testpmd: " + testpmd.why();
  testpmd.stop();
  const auto take = [](Pair& pair, std::vector<double>& figures) {
    pair.go_on();
    const auto figure = pair.window();
    pair.stop();
    if (figure) figures.push_back(*figure);
    return figure.has_value();
  };
  for (int window = 0; window < kWindows; ++window) {
    if (!take(own, rates.own)) return own.why();
    if (!take(testpmd, rates.testpmd)) return "testpmd: " + testpmd.why();
  }
  return "";
}

int run(const Options& options) {
  if (options.own.flows != 0) return run_vhost_own_host(options.own);
  bench::Figures figures("vhost_bench");
  std::vector<double> own;  // by number of flows
  for (const uint32_t flows : options.flows) {
    const VanishingDirectory directory;
    const std::string pcap = directory.path("frames.pcap");
    write_pcap({.flows = flows}, pcap);
    Rates rates;
    std::string why;
    for (uint32_t run = 0; run < options.runs && why.empty(); ++run) {
      std::cerr << flows << " flows, run " << run + 1 << " of " << options.runs << "\n";
      why = measure(flows, pcap, rates);
    }
    own.push_back(median(rates.own));
    const std::string name = std::to_string(flows) + " flows";
    figures.add(name + ", back", "million/s", median(rates.own) / 1e6, bench::Better::kMore);
    figures.add(name + ", back, testpmd macswap", "million/s", median(rates.testpmd) / 1e6);
    figures.add(name + ", spread of the share of testpmd", "ratio", spread(rates.shares()));
    const bool bounded = flows == options.flows.front();
    if (!why.empty()) {
      figures.missing(name + ", share of testpmd", why);
    } else if (bounded) {
      figures.ratio_at_least(name + ", share of testpmd", median(rates.shares()), kShareMin);
    } else {
      figures.add(name + ", share of testpmd", "ratio", median(rates.shares()), bench::Better::kMore);
    }
  }
  if (own.size() > 1) {
    figures.ratio_at_least("packets back, most flows to fewest", own.back() / own.front(), kManyToFewMin);
  }
  return bench::report(figures, options.wanted);
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  cheshire::Options options;
  CLI::App app("Through a virtio-user guest and back, beside dpdk-testpmd with the same guest");
  app.add_flag("--json", options.wanted.json, "print JSON instead of a table");
  app.add_flag("--check", options.wanted.check,
               "end non-zero when a bound is missed; the figures in the last line");
  app.add_option("--runs", options.runs, "processes of each pair, one after the other, five windows each (2)")
      ->check(CLI::Range(1, 100));
  app.add_option("--flows", options.flows, "numbers of flows (10 1000 100000 1000000)");
  app.add_option("--own-flows", options.own.flows, "one run, in this process")->group("");
  app.add_option("--pcap", options.own.pcap)->group("");
  app.add_option("--directory", options.own.directory)->group("");
  CLI11_PARSE(app, argc, argv);
  return cheshire::run(options);
}
