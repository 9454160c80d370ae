// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// boot_bench: how long from the order to a guest's first SYN-ACK, driver by driver and tier by tier, in one
// run.
//
//   cold     nothing is there: process, VM, boot
//   shell    a prepared VM that has not run one instruction
//   standby  a booted VM whose vCPU is paused
#include <stdlib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>

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

std::string default_kernel() {
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe");
  return own.parent_path().parent_path() / "unikernel/grin.elf";
}

// "kvm (cold)": progress, on standard error.
void tell(const std::string& driver, const std::string& what) {
  std::cerr << driver << ": " << what << "\n";
}

void measure_driver(const std::string& name, BootBenchRuns& runs, const Driver& driver, size_t samples,
                    DriverResult& result) {
  result.description = driver.description();
  tell(name, result.description);
  const auto failed = [&](const std::string& what, const Error& error) {
    result.missing += (result.missing.empty() ? "" : "; ") + what + ": " + error.what;
    tell(name, result.missing);
  };
  for (const Tier tier : {Tier::kCold, Tier::kShell, Tier::kStandby}) {
    if (tier != Tier::kCold && !driver.has_tiers()) continue;
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
  BootBenchRuns::Options runs_options{.kernel = options.kernel, .command_line = options.append};
  if (options.drivers.find("kvm") != std::string::npos) {
    auto kvm =
        KvmDriver::create({.program = options.vmm,
                           .use_zygote = !options.no_zygote,
                           .on_trace = [&](InstanceId id, const VmmTrace& trace) { traces.put(id, trace); }});
    if (kvm) {
      BootBenchRuns runs(*kvm.value(), kvm.value().get(), traces, plane, runs_options);
      measure_driver("kvm", runs, *kvm.value(), options.samples, result["kvm"]);
    } else {
      result["kvm"].missing = kvm.error().what;
    }
  }
  if (options.drivers.find("qemu") != std::string::npos) {
    auto qemu = QemuDriver::create({.cpus = cpus_for_vms(options)});
    if (qemu) {
      runs_options.accelerator = Accelerator::kTcg;
      runs_options.memory_bytes = 32 * kMiB;
      BootBenchRuns runs(*qemu.value(), nullptr, traces, plane, runs_options);
      measure_driver("qemu", runs, *qemu.value(), options.samples, result["qemu"]);
    } else {
      result["qemu"].missing = qemu.error().what;
    }
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
  std::cout << (options.json ? to_json(result) : to_table(result));
  if (!options.check) return 0;
  const Verdict verdict = check_bounds(result);
  std::cout << verdict.line << "\n";
  return verdict.ok ? 0 : 1;
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  cheshire::Options options;
  CLI::App app("From the order to the first SYN-ACK, by driver and tier");
  app.add_flag("--json", options.json, "print JSON instead of a table");
  app.add_flag("--check", options.check,
               "end non-zero when a bound of issue 3 is missed; figures in the last line");
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
