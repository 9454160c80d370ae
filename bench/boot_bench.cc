// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// boot_bench: how long from the order to a guest's first SYN-ACK, driver by driver and tier by tier, in one
// run.
//
//   cold     nothing is there: process, VM, boot
//   shell    a prepared VM that has not run one instruction
//   standby  a booted VM whose vCPU is paused
//
// In turns with the kvm driver's starts: the floor, which is what the kernel takes for the same (bare_vm.cc), and
// cold starts of QEMU. The bounds of --check are ratios to these.
#include <stdlib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>

#include "bench/bare_vm_peer.h"
#include "bench/boot_bench_data_plane.h"
#include "bench/boot_bench_report.h"
#include "bench/boot_bench_runs.h"
#include "hypervisor/kvm/kvm_driver.h"
#include "hypervisor/qemu/qemu_driver.h"
#include "log.h"
#include "tests/support/temporary_directory.h"

namespace cheshire {
namespace {

constexpr size_t kSlots = 16;
constexpr uint16_t kParallelStarts = 4;
constexpr uint16_t kIdleInstances = 8;
constexpr uint64_t kRateTimeNs = 2 * kNsPerSecond;
// Instructions of grin from its entry to its SYN-ACK, and from a SYN to the SYN-ACK, as guest_steps counts them: the
// floor's guest runs as many.
constexpr uint64_t kStepsFromEntry = 1606;
constexpr uint64_t kStepsFromSyn = 550;

struct Options {
  bool json = false;
  bool check = false;
  size_t samples = 50;
  std::string kernel;
  std::string drivers = "kvm,qemu";
  std::string vmm;
  std::string append = "grin.quiet=1";
  uint64_t nap_us = 20;
  bool no_zygote = false;
};

std::filesystem::path own_directory() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

std::string default_kernel() {
  return own_directory().parent_path() / "unikernel/grin.elf";
}

// What takes its turn after each start of the kvm driver's.
class Floor {
 public:
  void take_turn(Tier tier) {
    auto sample = tier == Tier::kCold ? peer_.cold(kStepsFromEntry)
                                      : peer_.ready(tier == Tier::kShell ? kStepsFromEntry : kStepsFromSyn);
    if (!sample) {
      why_ = sample.error().what;
      return;
    }
    const auto& [total_ns, host_ns, cpu_ns] = sample.value();
    samples_[tier].push_back({.total_ns = total_ns, .host_ns = host_ns, .stages_ns = {}});
    if (tier == Tier::kCold) cpu_ns_ += cpu_ns;
  }
  [[nodiscard]] DriverResult result() const {
    DriverResult result{.description = "the system calls of a start and nothing else", .missing = why_};
    for (const auto& [tier, samples] : samples_) result.tiers[tier] = summarize(samples);
    const auto cold = samples_.find(Tier::kCold);
    if (cold != samples_.end() && cpu_ns_ > 0) {
      result.rate = RateSample{.starts_per_core_second = static_cast<double>(cold->second.size()) * 1e9 /
                                                         static_cast<double>(cpu_ns_)};
    }
    return result;
  }

 private:
  bench::BareVmPeer peer_{own_directory() / "bare_vm"};
  std::map<Tier, std::vector<StartSample>> samples_;
  uint64_t cpu_ns_ = 0;
  std::string why_;
};

// "kvm (cold)": progress, on standard error.
void tell(const std::string& driver, const std::string& what) {
  std::cerr << driver << ": " << what << "\n";
}

// `cold`: samples of cold starts that there are already.
void measure_driver(const std::string& name, BootBenchRuns& runs, const Driver& driver, size_t samples,
                    const std::vector<StartSample>& cold, DriverResult& result) {
  result.description = driver.description();
  tell(name, result.description);
  const auto failed = [&](const std::string& what, const Error& error) {
    result.missing += (result.missing.empty() ? "" : "; ") + what + ": " + error.what;
    tell(name, result.missing);
  };
  for (const Tier tier : {Tier::kCold, Tier::kShell, Tier::kStandby}) {
    if (tier != Tier::kCold && !driver.has_tiers()) continue;
    if (tier == Tier::kCold && !cold.empty()) {
      result.tiers[tier] = summarize(cold);
      continue;
    }
    tell(name, to_string(tier));
    auto measured = runs.measure(tier, samples);
    if (!measured) return failed(to_string(tier), measured.error());
    result.tiers[tier] = summarize(measured.value());
  }
  tell(name, "starts per second");
  auto rate = runs.measure_rate(kParallelStarts, kRateTimeNs);
  if (!rate) return failed("starts per second", rate.error());
  result.rate = rate.value();
  tell(name, "memory");
  auto memory = runs.measure_memory(kIdleInstances);
  if (!memory) return failed("memory", memory.error());
  result.memory = memory.value();
}

// A poller that spins leaves no time to the kernel's threads of its CPU, and a memory slot waits for one of
// them: 6 ms were seen. So nothing else is put there, as in the daemon.
std::vector<uint32_t> cpus_for_vms(const Options& options) {
  const auto count = static_cast<uint32_t>(::sysconf(_SC_NPROCESSORS_ONLN));
  std::vector<uint32_t> cpus;
  for (uint32_t cpu = 0; options.nap_us == 0 && cpu + 1 < count; ++cpu) cpus.push_back(cpu);
  return cpus;
}

BenchResult run_all(const Options& options, BootBenchDataPlane& plane) {
  BenchResult result;
  TraceBox traces;
  const BootBenchRuns::Options of_any{.kernel = options.kernel, .command_line = options.append};
  std::unique_ptr<QemuDriver> qemu;
  std::unique_ptr<BootBenchRuns> qemu_runs;
  if (options.drivers.find("qemu") != std::string::npos) {
    auto created = QemuDriver::create({.cpus = cpus_for_vms(options)});
    if (created) {
      qemu = std::move(created).value();
      BootBenchRuns::Options runs_options = of_any;
      runs_options.accelerator = Accelerator::kTcg;
      runs_options.memory_bytes = 32 * kMiB;
      qemu_runs = std::make_unique<BootBenchRuns>(*qemu, nullptr, traces, plane, runs_options);
    } else {
      result["qemu"].missing = created.error().what;
    }
  }
  std::vector<StartSample> qemu_cold;  // in turns with those of kvm
  if (options.drivers.find("kvm") != std::string::npos) {
    auto kvm =
        KvmDriver::create({.program = options.vmm,
                           .use_zygote = !options.no_zygote,
                           .on_trace = [&](InstanceId id, const VmmTrace& trace) { traces.put(id, trace); }});
    if (kvm) {
      Floor floor;
      BootBenchRuns::Options runs_options = of_any;
      runs_options.take_turns = [&](Tier tier) {
        floor.take_turn(tier);
        if (tier != Tier::kCold || qemu_runs == nullptr) return;
        auto one = qemu_runs->measure(Tier::kCold, 1);
        if (one) qemu_cold.push_back(one.value().front());
        if (!one) result["qemu"].missing = one.error().what;
      };
      BootBenchRuns runs(*kvm.value(), kvm.value().get(), traces, plane, runs_options);
      measure_driver("kvm", runs, *kvm.value(), options.samples, {}, result["kvm"]);
      result["bare"] = floor.result();
    } else {
      result["kvm"].missing = kvm.error().what;
    }
  }
  if (qemu_runs != nullptr) {
    measure_driver("qemu", *qemu_runs, *qemu, options.samples, qemu_cold, result["qemu"]);
  }
  return result;
}

int run(Options options) {
  log::start("boot_bench", "warning");
  if (options.kernel.empty()) options.kernel = default_kernel();
  const TemporaryDirectory directory;
  BenchResult result;
  {
    const auto last_cpu = static_cast<uint32_t>(::sysconf(_SC_NPROCESSORS_ONLN) - 1);
    auto plane = BootBenchDataPlane::start(directory.path(), kSlots, last_cpu, options.nap_us * kNsPerUs);
    if (!plane) {
      std::cerr << plane.error().what << "\n";
      return 1;
    }
    // The library looks at new sockets once a second; a daemon's are long there when a VM comes.
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    result = run_all(options, *plane.value());
  }
  if (!options.json) std::cout << to_table(result) << "\n" << std::flush;
  return bench::report(figures_of(result), {.json = options.json, .check = options.check},
                       details_of(result));
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  cheshire::Options options;
  CLI::App app("From the order to the first SYN-ACK, by driver and tier");
  app.add_flag("--json", options.json, "print JSON instead of a table");
  app.add_flag("--check", options.check, "end non-zero when a bound is missed; the figures in the last line");
  app.add_option("--samples", options.samples, "starts per driver and tier (50)")
      ->check(CLI::Range(1, 100000));
  app.add_option("--kernel", options.kernel, "grin's ELF (that of this build)");
  app.add_option("--drivers", options.drivers, "kvm,qemu");
  app.add_option("--append", options.append, "the guest's command line (grin.quiet=1)");
  app.add_option("--vmm", options.vmm, "cheshire-vmm (that of this build)");
  app.add_flag("--no-zygote", options.no_zygote, "execute each VMM instead of forking it");
  app.add_option("--nap-us", options.nap_us, "longest sleep of the polling thread; 0: it spins (20)");
  CLI11_PARSE(app, argc, argv);
  return cheshire::run(std::move(options));
}
