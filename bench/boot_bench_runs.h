// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The measurements of boot_bench: each is one start, from the order to the first SYN-ACK of the guest.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bench/boot_bench_data_plane.h"
#include "hypervisor/driver.h"
#include "hypervisor/kvm/kvm_driver.h"
#include "result.h"

namespace cheshire {

// One start. Host time is what was not spent in KVM_RUN: total minus the spans in which the vCPU's thread was
// inside of that system call between the order and the SYN-ACK. Without a trace (QEMU) it is not known.
struct StartSample {
  uint64_t total_ns = 0;
  std::optional<uint64_t> host_ns;
  std::vector<std::pair<std::string, uint64_t>> stages_ns;  // from the order, for those that came after it
};

enum class Tier { kCold, kShell, kStandby };
[[nodiscard]] constexpr const char* to_string(Tier tier) {
  return tier == Tier::kCold ? "cold" : tier == Tier::kShell ? "shell" : "standby";
}

struct MemorySample {
  uint64_t guest_bytes = 0;     // touched pages of the guest's memory
  uint64_t overhead_bytes = 0;  // the process' share of everything else (PSS), and its page tables
};

struct RateSample {
  double starts_per_second = 0;  // by the clock on the wall
  double starts_per_core_second =
      0;  // by CPU time: driver, VMMs and guests, vhost thread; not poller and orders
};

// Traces of the kvm driver, from its thread to the benchmark's.
class TraceBox {
 public:
  void put(InstanceId id, const VmmTrace& trace);
  [[nodiscard]] std::optional<VmmTrace> take(InstanceId id);

 private:
  std::mutex mutex_;
  std::map<InstanceId, VmmTrace> traces_;
};

class BootBenchRuns {
 public:
  struct Options {
    std::string kernel;
    uint64_t memory_bytes = 16 * kMiB;
    std::string command_line;
    Accelerator accelerator = Accelerator::kAuto;
    // After each start that was measured: what it is compared with takes its turn.
    std::function<void(Tier)> take_turns = [](Tier) {};
  };
  // `kvm` is `driver` again if it is one that traces, else nullptr.
  BootBenchRuns(Driver& driver, KvmDriver* kvm, TraceBox& traces, BootBenchDataPlane& plane, Options options)
      : driver_(driver), kvm_(kvm), traces_(traces), plane_(plane), options_(std::move(options)) {}

  [[nodiscard]] Result<std::vector<StartSample>> measure(Tier tier, size_t samples);
  // `parallel` starts under way at once, for so long.
  [[nodiscard]] Result<RateSample> measure_rate(uint16_t parallel, uint64_t time_ns);
  // Mean over `count` instances that are up and idle.
  [[nodiscard]] Result<MemorySample> measure_memory(uint16_t count);

 private:
  [[nodiscard]] BootOrder order_for(SlotIndex slot);
  [[nodiscard]] Result<StartSample> one_start(Tier tier);
  [[nodiscard]] Result<std::vector<StartSample>> standby_starts(size_t samples);
  [[nodiscard]] Result<StartSample> sample_after(InstanceId id, uint64_t ordered_ns);
  [[nodiscard]] Result<uint64_t> await_answer(InstanceId id);
  [[nodiscard]] Result<DriverEvent> await(InstanceId id, DriverEventKind kind);
  [[nodiscard]] Result<void> end(InstanceId id);

  Driver& driver_;
  KvmDriver* const kvm_;
  TraceBox& traces_;
  BootBenchDataPlane& plane_;
  const Options options_;
  std::map<uint16_t, uint32_t> generations_;
  std::deque<DriverEvent> events_;
};

}  // namespace cheshire
