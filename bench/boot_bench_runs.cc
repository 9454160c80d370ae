// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/boot_bench_runs.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "units.h"

namespace cheshire {
namespace {

constexpr uint64_t kStartMaxNs = 5 * kNsPerSecond;
constexpr uint64_t kLookNs = 20 * kNsPerUs;
constexpr uint64_t kSettleNs = 3 * kNsPerMs;  // after a preparation, before the order: all is asleep by then

void nap(uint64_t ns) {
  const timespec time{.tv_sec = static_cast<time_t>(ns / kNsPerSecond),
                      .tv_nsec = static_cast<long>(ns % kNsPerSecond)};
  nanosleep(&time, nullptr);
}

// The part of the trace's spans that lies between the two moments.
uint64_t in_kernel_ns(const VmmTrace& trace, uint64_t from_ns, uint64_t to_ns) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < std::min<uint32_t>(trace.spans, kVmmTraceSpans); ++i) {
    const uint64_t enter = std::max(from_ns, trace.begin_ns + trace.span[i].enter_ns);
    const uint64_t leave = std::min(to_ns, trace.begin_ns + trace.span[i].leave_ns);
    if (leave > enter) sum += leave - enter;
  }
  return sum;
}

uint64_t cpu_ns_of(int who) {
  rusage used{};
  getrusage(who, &used);
  const auto ns = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_usec) * kNsPerUs;
  };
  return ns(used.ru_utime) + ns(used.ru_stime);
}

MemorySample memory_of(int32_t pid) {
  MemorySample sample;
  std::ifstream smaps("/proc/" + std::to_string(pid) + "/smaps");
  bool guest = false;
  for (std::string line; std::getline(smaps, line);) {
    const bool is_header = !line.empty() && line.find(": ") == std::string::npos &&
                           line.find('-') != line.npos && line.find(" kB") == line.npos &&
                           line.find("VmFlags") == line.npos;
    if (is_header) guest = line.find("memfd:") != line.npos;
    const bool is_rss = line.starts_with("Rss:");
    const bool is_pss = line.starts_with("Pss:");
    if (guest && is_rss) sample.guest_bytes += std::stoull(line.substr(4)) * kKiB;
    if (!guest && is_pss) sample.overhead_bytes += std::stoull(line.substr(4)) * kKiB;
  }
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmPTE:")) sample.overhead_bytes += std::stoull(line.substr(6)) * kKiB;
  }
  return sample;
}

}  // namespace

void TraceBox::put(InstanceId id, const VmmTrace& trace) {
  const std::lock_guard lock(mutex_);
  traces_[id] = trace;
}

std::optional<VmmTrace> TraceBox::take(InstanceId id) {
  const std::lock_guard lock(mutex_);
  const auto found = traces_.find(id);
  if (found == traces_.end()) return std::nullopt;
  const VmmTrace trace = found->second;
  traces_.erase(found);
  return trace;
}

BootOrder BootBenchRuns::order_for(SlotIndex slot) {
  const Generation generation{++generations_[slot.value]};
  return {.id = {slot, generation},
          .name = "bench/" + std::to_string(slot.value) + "/" + std::to_string(generation.value),
          .kernel = options_.kernel,
          .memory_bytes = options_.memory_bytes,
          .command_line = options_.command_line,
          .mac = kGuestMac,
          .vhost_socket = plane_.socket_path(slot),
          .accelerator = options_.accelerator};
}

Result<DriverEvent> BootBenchRuns::await(InstanceId id, DriverEventKind kind) {
  const uint64_t deadline_ns = monotonic_ns() + kStartMaxNs;
  while (monotonic_ns() < deadline_ns) {
    while (auto event = driver_.next_event()) events_.push_back(std::move(*event));
    for (auto event = events_.begin(); event != events_.end(); ++event) {
      if (event->id != id) continue;
      if (event->kind == DriverEventKind::kExited && kind != DriverEventKind::kExited) {
        return Error{ErrorCode::kUnavailable, "the VM ended: " + event->reason};
      }
      if (event->kind != kind) continue;
      const DriverEvent found = *event;
      events_.erase(event);
      return found;
    }
    nap(kLookNs);
  }
  return Error{ErrorCode::kUnavailable, "no event of the driver for 5 s"};
}

Result<uint64_t> BootBenchRuns::await_answer(InstanceId id) {
  const uint64_t deadline_ns = monotonic_ns() + kStartMaxNs;
  while (monotonic_ns() < deadline_ns) {
    if (const auto answered = plane_.answered_ns(id.slot)) return *answered;
    nap(kLookNs);
  }
  while (auto event = driver_.next_event()) {
    if (event->id == id && event->kind == DriverEventKind::kExited) {
      return Error{ErrorCode::kUnavailable, "the VM ended: " + event->reason};
    }
  }
  return Error{ErrorCode::kUnavailable, "no SYN-ACK for 5 s"};
}

Result<void> BootBenchRuns::end(InstanceId id) {
  driver_.stop(id);
  auto exited = await(id, DriverEventKind::kExited);
  if (!exited) return exited.error();
  const uint64_t deadline_ns = monotonic_ns() + kStartMaxNs;
  while (plane_.connected(id.slot) && monotonic_ns() < deadline_ns) nap(kLookNs);
  std::erase_if(events_, [&](const DriverEvent& event) { return event.id == id; });
  return {};
}

Result<StartSample> BootBenchRuns::sample_after(InstanceId id, uint64_t ordered_ns) {
  const auto answered = await_answer(id);
  if (!answered) return answered.error();
  StartSample sample{.total_ns = answered.value() - ordered_ns};
  if (kvm_ == nullptr) return sample;
  kvm_->ask_trace(id);
  const uint64_t deadline_ns = monotonic_ns() + kStartMaxNs;
  std::optional<VmmTrace> trace;
  while (!(trace = traces_.take(id)) && monotonic_ns() < deadline_ns) nap(kLookNs);
  if (!trace) return Error{ErrorCode::kUnavailable, "no trace of the VMM for 5 s"};
  sample.host_ns = sample.total_ns - in_kernel_ns(*trace, ordered_ns, answered.value());
  for (size_t i = 0; i < kVmmStages; ++i) {
    const uint64_t at_ns = trace->report.stages_ns[i];
    if (at_ns <= ordered_ns || at_ns > answered.value()) continue;
    sample.stages_ns.emplace_back(to_string(static_cast<VmmStage>(i)), at_ns - ordered_ns);
  }
  const BootBenchDataPlane::RingsUp up = plane_.rings_up(id.slot);
  if (up.up_ns > ordered_ns) {
    sample.stages_ns.emplace_back("ring_up", up.up_ns - ordered_ns);
    sample.stages_ns.emplace_back("messages_handled_in", up.messages_ns);
  }
  sample.stages_ns.emplace_back("syn_ack", sample.total_ns);
  return sample;
}

Result<StartSample> BootBenchRuns::one_start(Tier tier) {
  const BootOrder order = order_for(SlotIndex{0});
  const InstanceId id = order.id;
  uint64_t ordered_ns = 0;
  if (tier == Tier::kCold) {
    plane_.ask(id.slot);
    ordered_ns = monotonic_ns();
    driver_.boot(order);
  } else {
    driver_.prepare(order);
    auto prepared = await(id, DriverEventKind::kPrepared);
    if (!prepared) return prepared.error();
    nap(kSettleNs);
    plane_.ask(id.slot);
    ordered_ns = monotonic_ns();
    driver_.run(id);
  }
  auto sample = sample_after(id, ordered_ns);
  if (!sample) return sample;
  if (Result<void> ended = end(id); !ended) return ended.error();
  return sample;
}

Result<std::vector<StartSample>> BootBenchRuns::standby_starts(size_t samples) {
  const BootOrder order = order_for(SlotIndex{0});
  const InstanceId id = order.id;
  plane_.ask(id.slot);
  driver_.boot(order);
  if (auto answered = await_answer(id); !answered) return answered.error();
  std::vector<StartSample> all;
  for (size_t i = 0; i < samples; ++i) {
    nap(kSettleNs);
    driver_.pause(id);
    if (auto paused = await(id, DriverEventKind::kPaused); !paused) return paused.error();
    nap(kSettleNs);
    plane_.ask(id.slot);
    const uint64_t ordered_ns = monotonic_ns();
    driver_.run(id);
    auto sample = sample_after(id, ordered_ns);
    if (!sample) return sample.error();
    all.push_back(std::move(sample).value());
    options_.take_turns(Tier::kStandby);
  }
  if (Result<void> ended = end(id); !ended) return ended.error();
  return all;
}

Result<std::vector<StartSample>> BootBenchRuns::measure(Tier tier, size_t samples) {
  if (tier == Tier::kStandby) return standby_starts(samples);
  std::vector<StartSample> all;
  for (size_t i = 0; i < samples; ++i) {
    auto sample = one_start(tier);
    if (!sample) return sample.error();
    all.push_back(std::move(sample).value());
    options_.take_turns(tier);
  }
  return all;
}

Result<RateSample> BootBenchRuns::measure_rate(uint16_t parallel, uint64_t time_ns) {
  std::vector<std::optional<InstanceId>> running(parallel);
  std::vector<bool> stopping(parallel);
  const uint64_t begin_ns = monotonic_ns();
  // All but the poller, and this loop, which only plays the control thread.
  const auto cpu_of_starts_ns = [this] {
    return cpu_ns_of(RUSAGE_SELF) + cpu_ns_of(RUSAGE_CHILDREN) - cpu_ns_of(RUSAGE_THREAD) -
           plane_.poller_cpu_ns();
  };
  const uint64_t cpu_begin_ns = cpu_of_starts_ns();
  uint64_t starts = 0;
  size_t left = 0;
  do {
    const bool more = monotonic_ns() - begin_ns < time_ns;
    if (monotonic_ns() - begin_ns > time_ns + kStartMaxNs) {
      return Error{ErrorCode::kUnavailable, "a start under load took more than 5 s"};
    }
    for (uint16_t slot = 0; slot < parallel; ++slot) {
      if (!running[slot] && more && !plane_.connected({slot})) {
        const BootOrder order = order_for({slot});
        running[slot] = order.id;
        stopping[slot] = false;
        plane_.ask({slot});
        driver_.boot(order);
      } else if (running[slot] && !stopping[slot] && plane_.answered_ns({slot})) {
        ++starts;
        stopping[slot] = true;
        driver_.stop(*running[slot]);
      }
    }
    while (const auto event = driver_.next_event()) {
      if (event->kind != DriverEventKind::kExited) continue;
      if (event->reason != "stopped") return Error{ErrorCode::kUnavailable, "a VM ended: " + event->reason};
      running[event->id.slot.value].reset();
    }
    left = static_cast<size_t>(std::count_if(running.begin(), running.end(), [](auto& id) { return !!id; }));
    nap(kLookNs);
    if (!more && left == 0) break;
  } while (true);
  const uint64_t wall_ns = monotonic_ns() - begin_ns;
  const uint64_t cpu_ns = cpu_of_starts_ns() - cpu_begin_ns;
  const auto per_second = [starts](uint64_t ns) {
    return static_cast<double>(starts) * 1e9 / static_cast<double>(std::max<uint64_t>(ns, 1));
  };
  return RateSample{per_second(wall_ns), per_second(cpu_ns)};
}

Result<MemorySample> BootBenchRuns::measure_memory(uint16_t count) {
  std::vector<InstanceId> ids;
  std::vector<int32_t> pids;
  for (uint16_t slot = 0; slot < count; ++slot) {
    const BootOrder order = order_for({slot});
    ids.push_back(order.id);
    plane_.ask({slot});
    driver_.boot(order);
    const auto spawned = await(order.id, DriverEventKind::kSpawned);
    if (!spawned) return spawned.error();
    pids.push_back(spawned.value().pid);
    if (auto answered = await_answer(order.id); !answered) return answered.error();
  }
  MemorySample sum;
  for (const int32_t pid : pids) {
    const MemorySample one = memory_of(pid);
    sum.guest_bytes += one.guest_bytes / count;
    sum.overhead_bytes += one.overhead_bytes / count;
  }
  for (const InstanceId id : ids) {
    if (Result<void> ended = end(id); !ended) return ended.error();
  }
  return sum;
}

}  // namespace cheshire
