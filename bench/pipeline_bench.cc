// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What steering costs: the real worker on a real ethdev (net_pcap, a file in a circle) with guests in memory. On
// the same input in the same run: dpdk-testpmd, as the price of touching a packet at all, and, on the input of the
// first case, Open vSwitch with DPDK spreading it by a select group (scripts/install_packages
// openvswitch-switch-dpdk).
//
//   scripts/hugepages 2048 build/bench/pipeline_bench            a table
//   … --json > pipeline.json; scripts/pipeline_picture pipeline.json docs/pipeline.svg
//   … --check --quick                                            the bounds only; exit 1 when one is missed
//   … --only "zipf-1048576 to 8" --file pipeline.json            one case, beside those of earlier calls
//
// Each figure is the median of several samples of several runs, Cheshire's and the others' in turns: a machine
// that others use too disturbs all.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "bench/support/figures.h"
#include "bench/support/openvswitch_peer.h"
#include "bench/support/pipeline_case.h"
#include "bench/support/statistics.h"
#include "bench/support/testpmd_peer.h"
#include "bench/support/vanishing_directory.h"

namespace cheshire {
namespace {

constexpr uint32_t kFewFlows = 4096;
constexpr uint32_t kManyFlows = 1U << 20U;
constexpr uint32_t kCountedFramesMax = 1U << 16U;
constexpr int kOpenvswitchSamples = 3;  // of its select group, per run
constexpr double kOpenvswitchSampleS = 1;
constexpr double kSynToIoMax = 7;

struct Options {
  bench::FiguresWanted wanted;
  bool quick = false;
  bool no_peers = false;
  uint32_t runs = 3;
  std::string one_case;  // the child's side
  std::string pcap;
  bool counted = false;
  std::vector<std::string> only;  // names of cases
  std::string file;               // where the cases of several calls come together
  bool instructions = false;
};

struct Figures {
  std::vector<double> cycles;
  std::optional<double> instructions;
  uint64_t drops = 0;
  uint64_t tsc_hz = 0;
  std::string error;
};

struct Peers {
  std::vector<double> io;
  std::vector<double> swap;
  std::string error;
};

struct OpenvswitchFigures {
  std::vector<double> select_group;
  std::vector<double> plain_output;
  std::string error;  // why there are none
  [[nodiscard]] bool nothing() const { return select_group.empty() && error.empty(); }
};

// The case that Open vSwitch is compared with.
PipelineCase first_case() {
  return {.traffic = {.flows = kFewFlows}};
}

// All, the most important first.
std::vector<PipelineCase> cases(bool quick) {
  const Traffic few{.flows = kFewFlows};
  const Traffic many{.flows = kManyFlows};
  std::vector<PipelineCase> all = {{.traffic = few},
                                   {.traffic = few, .mapped = true},
                                   {.traffic = few, .instances = 1000},
                                   {.traffic = many}};
  all.push_back({.traffic = {.kind = "syn", .flows = kFewFlows}});
  if (quick) return all;
  for (const uint32_t flows : {1U, 1U << 16U, 1U << 23U}) all.push_back({.traffic = {.flows = flows}});
  all.push_back({.traffic = few, .instances = 1});
  all.push_back({.traffic = many, .instances = 1000});
  all.push_back({.traffic = many, .mapped = true});
  all.push_back({.traffic = {.kind = "zipf", .flows = kManyFlows}});
  all.push_back({.traffic = {.kind = "half_syn", .flows = kFewFlows}});
  all.push_back({.traffic = {.kind = "imix", .flows = kFewFlows}});
  all.push_back({.traffic = {.kind = "timestamps", .flows = kFewFlows}});
  all.push_back({.traffic = {.kind = "null", .flows = 1}});
  return all;
}

std::vector<PipelineCase> cases(const Options& options) {
  std::vector<PipelineCase> all = cases(options.quick && options.only.empty());
  if (options.only.empty()) return all;
  std::erase_if(all, [&](const PipelineCase& one) {
    return std::find(options.only.begin(), options.only.end(), one.name()) == options.only.end();
  });
  return all;
}

// Instructions per packet of the turns that are measured, driver included: callgrind counts the same on any
// machine, however busy. Nothing where it is not installed, and of cases that are too large for it.
std::optional<double> count_instructions(const PipelineCase& wanted, const std::string& pcap) {
  if (frames_of(wanted.traffic) > kCountedFramesMax) return {};
  BenchChild child({"valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                    "--toggle-collect=cheshire::(anonymous namespace)::measured_turns*",
                    std::filesystem::read_symlink("/proc/self/exe"), "--counted", "--case",
                    nlohmann::json(wanted).dump(), "--pcap", pcap});
  if (child.wait_for_end(300) != 0) return {};
  const std::string& said = child.said();
  const size_t packets = said.find("\"packets\":");
  const size_t collected = said.find("Collected : ");
  if (packets == std::string::npos || collected == std::string::npos) return {};
  return std::strtod(said.c_str() + collected + 12, nullptr) /
         std::strtod(said.c_str() + packets + 10, nullptr);
}

void run_own(const PipelineCase& wanted, const Options& options, const std::string& pcap, Figures& figures) {
  std::vector<std::string> arguments = {"/proc/self/exe", "--case", nlohmann::json(wanted).dump(), "--pcap",
                                        pcap};
  if (options.quick) arguments.emplace_back("--quick");
  BenchChild child(arguments);
  const int code = child.wait_for_end(300);
  const size_t at = child.said().rfind("\n{", child.said().size());
  const std::string line = at == std::string::npos ? child.said() : child.said().substr(at + 1);
  const auto told = nlohmann::json::parse(line, nullptr, false);
  if (code != 0 || told.is_discarded() || told.contains("error")) {
    figures.error = "exit " + std::to_string(code) + ": " + line;
    return;
  }
  for (const double cycles : told.at("cycles_per_packet")) figures.cycles.push_back(cycles);
  if (!told.at("instructions_per_packet").is_null())
    figures.instructions = told.at("instructions_per_packet");
  figures.drops += told.at("drops").get<uint64_t>();
  figures.tsc_hz = told.at("tsc_hz");
}

void run_peer(const Traffic& traffic, const std::string& pcap, const char* mode, std::vector<double>& cycles,
              std::string& error) {
  const long cpu = ::sysconf(_SC_NPROCESSORS_ONLN) - 1;
  TestpmdRun run{.eal = {"--lcores=0@0,1@" + std::to_string(cpu), device_of(traffic, pcap)},
                 .options = {std::string("--forward-mode=") + mode,
                             "--total-num-mbufs=" + std::to_string(frames_of(traffic) + 16384)},
                 .seconds = 1};
  if (traffic.kind != "imix") run.options.emplace_back("--mbuf-size=256");
  if (const auto figure = testpmd_cycles_per_packet(run, error)) cycles.push_back(*figure);
}

void run_openvswitch(const std::string& pcap, OpenvswitchFigures& figures) {
  const auto take = [&](OpenvswitchPeer& peer, OpenvswitchPeer::Way way, int samples,
                        std::vector<double>& cycles) -> std::optional<Error> {
    if (auto error = peer.steer(way)) return error;
    for (int sample = 0; sample < samples; ++sample) {
      const auto figure = peer.cycles_per_packet(kOpenvswitchSampleS);
      if (!figure) return figure.error();
      cycles.push_back(figure.value());
    }
    return {};
  };
  auto peer = OpenvswitchPeer::start(
      {.pcap = pcap, .outputs = first_case().instances, .cpu = ::sysconf(_SC_NPROCESSORS_ONLN) - 1});
  std::optional<Error> error;
  if (!peer) error = peer.error();
  using Way = OpenvswitchPeer::Way;
  if (!error) error = take(*peer.value(), Way::kPlainOutput, 1, figures.plain_output);
  if (!error) error = take(*peer.value(), Way::kSelectGroup, kOpenvswitchSamples, figures.select_group);
  if (error) figures.error = error->what;
}

struct Results {
  std::vector<PipelineCase> cases;
  std::map<std::string, Figures> own;    // by name of the case
  std::map<std::string, Peers> testpmd;  // by name of the traffic
  OpenvswitchFigures openvswitch;        // on the first case's
};

Results run_all(const Options& options) {
  const VanishingDirectory directory;
  Results results{.cases = cases(options), .own = {}, .testpmd = {}, .openvswitch = {}};
  std::vector<Traffic> traffics;
  for (const PipelineCase& wanted : results.cases) {
    if (std::find(traffics.begin(), traffics.end(), wanted.traffic) == traffics.end())
      traffics.push_back(wanted.traffic);
  }
  for (const Traffic& traffic : traffics) {
    const std::string pcap = directory.path("frames.pcap");
    write_pcap(traffic, pcap);
    results.testpmd[traffic.name()];
    for (const PipelineCase& wanted : results.cases) {
      if (wanted.traffic == traffic) results.own[wanted.name()];
    }
    for (uint32_t run = 0; run < options.runs; ++run) {
      std::cerr << traffic.name() << ", run " << run + 1 << " of " << options.runs << "\n";
      Peers& peers = results.testpmd[traffic.name()];
      if (!options.no_peers) run_peer(traffic, pcap, "io", peers.io, peers.error);
      for (const PipelineCase& wanted : results.cases) {
        if (!(wanted.traffic == traffic)) continue;
        run_own(wanted, options, pcap, results.own[wanted.name()]);
        if (wanted == first_case() && !options.no_peers) run_openvswitch(pcap, results.openvswitch);
      }
      if (!options.no_peers) run_peer(traffic, pcap, "5tswap", peers.swap, peers.error);
    }
    for (const PipelineCase& wanted : results.cases) {
      if (options.instructions && wanted.traffic == traffic) {
        results.own[wanted.name()].instructions = count_instructions(wanted, pcap);
      }
    }
  }
  return results;
}

nlohmann::json to_json(const OpenvswitchFigures& figures, double own_cycles) {
  if (!figures.error.empty()) return {{"error", figures.error}};
  return {{"select_group", median(figures.select_group)},
          {"select_group_spread", spread(figures.select_group)},
          {"plain_output", median(figures.plain_output)},
          {"select_group_to_own", median(figures.select_group) / own_cycles}};
}

nlohmann::json to_json(const Results& results) {
  nlohmann::json all = nlohmann::json::array();
  for (const PipelineCase& wanted : results.cases) {
    const Figures& own = results.own.at(wanted.name());
    const Peers& peers = results.testpmd.at(wanted.traffic.name());
    nlohmann::json row = {
        {"case", wanted},
        {"name", wanted.name()},
        {"cycles_per_packet", median(own.cycles)},
        {"spread", spread(own.cycles)},
        {"drops", own.drops},
        {"testpmd_io", median(peers.io)},
        {"testpmd_io_spread", spread(peers.io)},
        {"testpmd_5tswap", median(peers.swap)},
        {"ratio_to_io", peers.io.empty() ? 0 : median(own.cycles) / median(peers.io)},
        {"million_packets_per_second",
         own.cycles.empty() ? 0 : static_cast<double>(own.tsc_hz) / median(own.cycles) / 1e6}};
    if (own.instructions) row["instructions_per_packet"] = *own.instructions;
    if (!own.error.empty() || !peers.error.empty()) row["error"] = own.error + peers.error;
    if (wanted == first_case() && !results.openvswitch.nothing())
      row["openvswitch"] = to_json(results.openvswitch, median(own.cycles));
    all.push_back(row);
  }
  return {{"cases", all}};
}

// The cases in the file, with those of `told` in the place of older ones.
nlohmann::json merged(const nlohmann::json& told, const std::string& path) {
  nlohmann::json all = nlohmann::json::parse(std::ifstream(path), nullptr, false);
  if (all.is_discarded()) all = {{"cases", nlohmann::json::array()}};
  for (const auto& [key, value] : told.items()) {
    if (key != "cases") all[key] = value;
  }
  for (const auto& row : told.at("cases")) {
    auto& rows = all["cases"];
    const auto old = std::find_if(rows.begin(), rows.end(),
                                  [&](const auto& other) { return other.at("name") == row.at("name"); });
    if (old != rows.end()) rows.erase(old);
    rows.push_back(row);
  }
  std::ofstream(path) << all.dump(2) << "\n";
  return all;
}

void print_table(const nlohmann::json& told) {
  std::printf("%-28s %9s %8s %9s %9s %7s %7s %6s\n", "frames, flows, instances", "cycles", "spread", "io",
              "5tswap", "x io", "Mpps", "instr");
  for (const auto& row : told.at("cases")) {
    std::printf("%-28s %9.1f %7.0f%% %9.1f %9.1f %7.2f %7.2f %6.0f  %s\n",
                row.at("name").get<std::string>().c_str(), row.at("cycles_per_packet").get<double>(),
                100 * row.at("spread").get<double>(), row.at("testpmd_io").get<double>(),
                row.at("testpmd_5tswap").get<double>(), row.at("ratio_to_io").get<double>(),
                row.at("million_packets_per_second").get<double>(), row.value("instructions_per_packet", 0.0),
                row.value("error", "").c_str());
    if (!row.contains("openvswitch")) continue;
    const auto& other = row.at("openvswitch");
    if (other.contains("error")) {
      std::printf("  Open vSwitch not measured: %s\n", other.at("error").get<std::string>().c_str());
      continue;
    }
    std::printf("  Open vSwitch on these: select group %.1f cycles (spread %.0f%%), plain output %.1f\n",
                other.at("select_group").get<double>(), 100 * other.at("select_group_spread").get<double>(),
                other.at("plain_output").get<double>());
  }
}

// What was measured, with the bounds: ratios to testpmd and to Open vSwitch on the same frames, in turns.
bench::Figures figures_of(const nlohmann::json& told, bool peers) {
  using bench::Better;
  bench::Figures figures("pipeline_bench");
  std::map<std::string, nlohmann::json> rows;
  for (const auto& row : told.at("cases")) {
    const std::string name = row.at("name");
    rows[name] = row;
    if (row.contains("error")) figures.missing(name, row.at("error"));
    if (row.at("cycles_per_packet") > 0) {
      figures.add(name + ": cycles a packet", "cycles", row.at("cycles_per_packet"), Better::kLess);
    }
    if (row.contains("instructions_per_packet")) {
      figures.add(name + ": instructions a packet", "instructions", row.at("instructions_per_packet"),
                  Better::kLess);
    }
    if (!peers) continue;
    figures.add(name + ": testpmd io", "cycles", row.at("testpmd_io"));
    figures.add(name + ": testpmd 5tswap", "cycles", row.at("testpmd_5tswap"));
  }
  if (!peers) return figures;
  const auto to_io = [&](const char* what, const PipelineCase& wanted, double most) {
    const auto row = rows.find(wanted.name());
    if (row == rows.end()) return figures.missing(what, wanted.name() + " was not asked for");
    figures.ratio_at_most(what, row->second.at("ratio_to_io"), most);
  };
  const Traffic few = first_case().traffic;
  to_io("4,096 flows to testpmd io", first_case(), 2.5);
  to_io("a million flows to testpmd io", {.traffic = {.flows = kManyFlows}}, 4);
  to_io("mapped to testpmd io", {.traffic = few, .mapped = true}, 3);
  to_io("a SYN of a new flow to testpmd io", {.traffic = {.kind = "syn", .flows = kFewFlows}}, kSynToIoMax);
  const auto base = rows.find(first_case().name());
  const auto many = rows.find(PipelineCase{.traffic = few, .instances = 1000}.name());
  if (base != rows.end() && many != rows.end()) {
    figures.ratio_at_most("1,000 instances to 8",
                          many->second.at("cycles_per_packet").get<double>() /
                              base->second.at("cycles_per_packet").get<double>(),
                          1.3);
  } else {
    figures.missing("1,000 instances to 8", "not both were asked for");
  }
  const char* const switch_to_own = "Open vSwitch's select group to Cheshire";
  nlohmann::json other = {{"error", "the first case was not asked for"}};
  if (base != rows.end() && base->second.contains("openvswitch")) other = base->second.at("openvswitch");
  if (other.contains("error")) {
    figures.missing(switch_to_own, other.at("error"));
  } else {
    figures.add("Open vSwitch, select group", "cycles", other.at("select_group"));
    figures.add("Open vSwitch, plain output", "cycles", other.at("plain_output"));
    figures.ratio_at_least(switch_to_own, other.at("select_group_to_own"), 5);
  }
  return figures;
}

int run(const Options& options) {
  if (!options.one_case.empty()) {
    return run_pipeline_case(nlohmann::json::parse(options.one_case).get<PipelineCase>(),
                             {options.pcap, options.quick, options.counted});
  }
  nlohmann::json told = to_json(run_all(options));
  if (!options.file.empty()) told = merged(told, options.file);
  if (!options.wanted.json) {
    print_table(told);
    std::fflush(stdout);
  }
  return bench::report(figures_of(told, !options.no_peers), options.wanted, told);
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  cheshire::Options options;
  CLI::App app("Cycles per packet of the worker, beside dpdk-testpmd and Open vSwitch on the same input");
  app.add_flag("--json", options.wanted.json, "print JSON instead of a table");
  app.add_flag("--check", options.wanted.check,
               "end non-zero when a bound is missed; the figures in the last line");
  app.add_flag("--quick", options.quick, "only what the bounds are about, and fewer samples");
  app.add_flag("--no-peers", options.no_peers, "without testpmd and Open vSwitch, and so without bounds");
  app.add_option("--only", options.only, "cases by name, as in the table");
  app.add_option("--file", options.file,
                 "JSON of several calls: these cases take the place of older ones there, and "
                 "table and check are about all of them");
  app.add_flag("--instructions", options.instructions, "count them, with callgrind");
  app.add_option("--runs", options.runs, "processes per figure (3); 0 with --instructions: these only")
      ->check(CLI::Range(0, 100));
  app.add_option("--case", options.one_case, "one case, in this process (JSON)")->group("");
  app.add_option("--pcap", options.pcap, "its frames")->group("");
  app.add_flag("--counted", options.counted, "under callgrind")->group("");
  CLI11_PARSE(app, argc, argv);
  return cheshire::run(options);
}
