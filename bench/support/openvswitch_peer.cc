// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/support/openvswitch_peer.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace cheshire {
namespace {

constexpr const char* kPackage = "openvswitch-switch-dpdk";
constexpr const char* kSwitch = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
constexpr const char* kSchema = "/usr/share/openvswitch/vswitch.ovsschema";
constexpr const char* kHash = "selection_method=hash,fields(ip_src,ip_dst,nw_proto,tcp_src,tcp_dst)";
constexpr uint16_t kInput = 1;  // numbers of the bridge's ports
constexpr uint16_t kFirstOutput = 11;
constexpr double kToolS = 40;
constexpr double kSettleStepS = 0.25;
constexpr int kSettleSteps = 80;
constexpr double kSentAtLeast = 0.99;  // of what was received meanwhile

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Bit `cpu` alone, as a hexadecimal number.
std::string mask_of(long cpu) {
  return "0x" + std::to_string(1 << (cpu % 4)) + std::string(static_cast<size_t>(cpu / 4), '0');
}

// In one line, whatever the tools said.
Error failed(std::string what) {
  while (what.ends_with('\n')) what.pop_back();
  std::replace(what.begin(), what.end(), '\n', ' ');
  return {ErrorCode::kInternal, what};
}

// Runs it to its end; what it said.
Result<std::string> run_tool(const std::vector<std::string>& words) {
  BenchChild child(words);
  const int code = child.wait_for_end(kToolS);
  if (code == 0) return child.said();
  return failed(words[0] + " ended with " + std::to_string(code) + ": " + child.said());
}

std::string end_of_file(const std::string& path) {
  constexpr size_t kEnd = 600;
  std::ifstream file(path);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  return all.substr(all.size() - std::min(all.size(), kEnd));
}

}  // namespace

Result<std::unique_ptr<OpenvswitchPeer>> OpenvswitchPeer::start(const OpenvswitchOptions& options) {
  if (!std::filesystem::exists(kSwitch))
    return Error{ErrorCode::kNotFound, std::string(kPackage) + " is not installed"};
  std::unique_ptr<OpenvswitchPeer> peer(new OpenvswitchPeer(options));
  if (auto error = peer->start_processes()) return *error;
  if (auto error = peer->make_bridge()) return *error;
  return peer;
}

// ovs-vsctl with these words.
std::vector<std::string> OpenvswitchPeer::to_database(std::vector<std::string> words) const {
  std::vector<std::string> all = {"ovs-vsctl", "--db=unix:" + directory_.path("db.sock"), "--retry",
                                  "--timeout=30"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

std::optional<Error> OpenvswitchPeer::start_processes() {
  // Sockets of a bridge lie where the variable says, all else where the options say.
  const std::string here = directory_.path();
  const std::vector<std::string> own = {"env", "OVS_RUNDIR=" + here, "OVS_DBDIR=" + here,
                                        "OVS_LOGDIR=" + here, "OVS_SYSCONFDIR=" + here};
  const std::string database = directory_.path("conf.db");
  const auto made = run_tool({"ovsdb-tool", "create", database, kSchema});
  if (!made) return made.error();
  std::vector<std::string> words = own;
  words.insert(words.end(),
               {"ovsdb-server", database, "--remote=punix:" + directory_.path("db.sock"), "--no-chdir",
                "--unixctl=" + directory_.path("db.ctl"), "-vconsole:off", "-vsyslog:off"});
  database_ = std::make_unique<BenchChild>(words);
  // The same memory as the other peers': huge pages, no files.
  std::string eal;
  for (const std::string& argument : bench_eal_arguments("", "ovs")) {
    if (!argument.empty()) eal += (eal.empty() ? "" : " ") + argument;
  }
  const auto set = run_tool(
      to_database({"--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   "other_config:dpdk-lcore-mask=0x1", "other_config:pmd-cpu-mask=" + mask_of(options_.cpu),
                   "other_config:dpdk-extra=\"" + eal + "\""}));
  if (!set) return set.error();
  words = own;
  words.insert(words.end(), {"taskset", "--cpu-list", "0", kSwitch, "unix:" + directory_.path("db.sock"),
                             "--no-chdir", "--unixctl=" + directory_.path("switch.ctl"),
                             "--log-file=" + directory_.path("switch.log"), "-vconsole:off", "-vsyslog:off"});
  switch_ = std::make_unique<BenchChild>(words);
  return {};
}

std::optional<Error> OpenvswitchPeer::make_bridge() {
  std::vector<std::string> words = {
      "add-br", "bench", "--", "set", "bridge", "bench", "datapath_type=netdev", "fail_mode=secure"};
  const auto add_port = [&](const std::string& name, uint16_t number, const std::string& device) {
    words.insert(words.end(),
                 {"--", "add-port", "bench", name, "--", "set", "Interface", name, "type=dpdk",
                  "ofport_request=" + std::to_string(number), "options:dpdk-devargs=\"" + device + "\""});
  };
  add_port("input", kInput, "net_pcap0,rx_pcap=" + options_.pcap + ",infinite_rx=1");
  for (int i = 0; i < options_.outputs; ++i) {
    const std::string number = std::to_string(i);
    add_port("output" + number, static_cast<uint16_t>(kFirstOutput + i), "net_null" + number + ",no-rx=1");
  }
  const auto made = run_tool(to_database(words));
  if (!made || made.value().find("Error") != std::string::npos) {
    return failed("no bridge: " + (made ? made.value() : made.error().what) +
                  "; the end of its log: " + end_of_file(directory_.path("switch.log")));
  }
  std::string group = "group_id=1,type=select," + std::string(kHash);
  for (int i = 0; i < options_.outputs; ++i)
    group += ",bucket=weight:100,actions=output:" + std::to_string(kFirstOutput + i);
  const auto grouped =
      run_tool({"ovs-ofctl", "-OOpenFlow15", "add-group", directory_.path("bench.mgmt"), group});
  if (!grouped) return grouped.error();
  return {};
}

Result<PmdStatistics> OpenvswitchPeer::polled() const {
  auto text = run_tool({"ovs-appctl", "--target=" + directory_.path("switch.ctl"),
                        "dpif-netdev/pmd-stats-show", "-pmd", std::to_string(options_.cpu)});
  if (!text) return text.error();
  return parse_pmd_statistics(text.value(), options_.cpu);
}

Result<std::map<uint32_t, uint64_t>> OpenvswitchPeer::sent() const {
  auto text = run_tool({"ovs-ofctl", "-OOpenFlow15", "dump-ports", directory_.path("bench.mgmt")});
  if (!text) return text.error();
  return parse_sent_packets(text.value());
}

std::optional<Error> OpenvswitchPeer::steer(Way way) {
  way_ = way;
  const std::string action = way == Way::kSelectGroup ? "group:1" : "output:" + std::to_string(kFirstOutput);
  const auto added = run_tool({"ovs-ofctl", "-OOpenFlow15", "add-flow", directory_.path("bench.mgmt"),
                               "in_port=" + std::to_string(kInput) + ",actions=" + action});
  if (!added) return added.error();
  Result<PmdStatistics> before = polled();
  for (int steps = 0; steps < kSettleSteps; ++steps) {
    if (!before) return before.error();
    switch_->read_some(0);
    ::usleep(static_cast<useconds_t>(kSettleStepS * 1e6));
    const auto after = polled();
    if (!after) return after.error();
    if (after.value().packets > before.value().packets && after.value().misses == before.value().misses)
      return {};
    before = after;
  }
  return failed("packets keep being new to its caches");
}

Result<double> OpenvswitchPeer::cycles_per_packet(double seconds) {
  const auto sent_before = sent();
  const auto before = polled();
  const auto begin = Clock::now();
  const double ran_before_s = switch_->busiest_worker_s();
  ::usleep(static_cast<useconds_t>(seconds * 1e6));
  const double on_cpu = (switch_->busiest_worker_s() - ran_before_s) / seconds_since(begin);
  const auto after = polled();
  const auto sent_after = sent();
  if (!before) return before.error();
  if (!after) return after.error();
  if (!sent_before) return sent_before.error();
  if (!sent_after) return sent_after.error();

  const uint64_t packets = after.value().packets - before.value().packets;
  uint64_t came_out = 0;
  uint16_t outputs = 0;
  for (const auto& [port, count] : sent_after.value()) {
    const auto old = sent_before.value().find(port);
    const uint64_t more = old == sent_before.value().end() ? count : count - old->second;
    came_out += more;
    outputs = static_cast<uint16_t>(outputs + (more > 0 ? 1 : 0));
  }
  if (packets == 0) return failed("no packets");
  if (outputs != (way_ == Way::kSelectGroup ? options_.outputs : 1) ||
      static_cast<double>(came_out) < kSentAtLeast * static_cast<double>(packets)) {
    return failed(std::to_string(came_out) + " of " + std::to_string(packets) + " packets came out of " +
                  std::to_string(outputs) + " ports");
  }
  return on_cpu * static_cast<double>(after.value().busy_cycles - before.value().busy_cycles) /
         static_cast<double>(packets);
}

}  // namespace cheshire
