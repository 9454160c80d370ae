// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A driver without VMs: scripted times and failures under a clock of the caller's, for tests of the control
// plane and for the simulator. No threads; everything happens inside advance_to() and next_event(), in order
// of time, and in order of the calls where times are equal.
//
//   FakeDriver driver;
//   driver.script_boot(1, {.dies_after_ns = 5 * kNsPerMs});   // the second boot, counted from 0
//   driver.on_guest_up = [&](const BootOrder& order, uint64_t time_ns) { … play the data plane … };
//   driver.boot(order);                  // at 0
//   driver.advance_to(20 * kNsPerMs);    // kSpawned at 1 ms, guest up at 11 ms, both told by now
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hypervisor/driver.h"
#include "units.h"

namespace cheshire {

// The fate of one boot. `after` counts from the spawn.
struct FakeScript {
  uint64_t spawn_delay_ns = 1 * kNsPerMs;  // from the order
  bool spawns = true;                      // false: no event at all until it is stopped
  std::string start_failure;               // not empty: never starts, with these words
  std::optional<uint64_t> guest_up_after_ns =
      10 * kNsPerMs;  // nullopt: it runs, and its guest never comes up
  std::optional<uint64_t> dies_after_ns;
  std::string death_reason = "killed by signal 9";
  uint64_t stop_delay_ns = 1 * kNsPerMs;
  // prepare(): from the spawn to kPrepared; `guest_up_after` then counts from run().
  uint64_t prepare_delay_ns = 1 * kNsPerMs;
  uint64_t pause_delay_ns = 100 * kNsPerUs;   // from pause() to kPaused
  uint64_t resume_delay_ns = 200 * kNsPerUs;  // from run() of a paused instance to on_guest_up
  // What usage() says while it runs: CPU time grows with the clock at this rate.
  uint32_t cpu_millicores = 0;
  uint64_t memory_bytes = 256 * kKiB;
};

class FakeDriver final : public Driver {
 public:
  using Clock = std::function<uint64_t()>;
  struct Boot {
    uint64_t time_ns;
    BootOrder order;
  };
  struct Stop {
    uint64_t time_ns;
    InstanceId id;
  };

  // With a clock, every call first advances to what it shows; without one, time is what advance_to() says.
  explicit FakeDriver(Clock clock = {}) : clock_(std::move(clock)) {}

  // For boots without a script of their own, from now on.
  void script_default(FakeScript script) { default_script_ = std::move(script); }
  // For the n-th boot in the life of the driver, the first is 0.
  void script_boot(uint64_t ordinal, FakeScript script) { scripts_[ordinal] = std::move(script); }
  // The guest of this instance runs and would now answer, for the first time or again after a pause. May call
  // boot(), stop() and crash().
  std::function<void(const BootOrder& order, uint64_t time_ns)> on_guest_up;

  // Time never runs backwards: an earlier time is ignored.
  void advance_to(uint64_t now_ns);
  // When something is next to happen; a simulator jumps there.
  [[nodiscard]] std::optional<uint64_t> next_due_ns() const;
  // Kills a running instance now, as kill -9 would; unknown or ended ones are ignored.
  void crash(InstanceId id, const std::string& reason = "killed by signal 9");

  [[nodiscard]] const std::vector<Boot>& boots() const { return boots_; }
  [[nodiscard]] const std::vector<Stop>& stops() const { return stops_; }
  [[nodiscard]] size_t running() const { return instances_.size(); }  // ordered, and not yet exited

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] std::string description() const override { return "fake, scripted, no VM is run"; }
  void boot(BootOrder order) override;
  [[nodiscard]] bool has_tiers() const override { return true; }
  void prepare(BootOrder order) override;
  void run(InstanceId id) override;
  void pause(InstanceId id) override;
  [[nodiscard]] std::optional<VmUsage> usage(InstanceId id) override;
  void stop(InstanceId id) override;
  [[nodiscard]] std::optional<DriverEvent> next_event() override;

 private:
  enum class Step { kSpawn, kPrepared, kGuestUp, kPaused, kExit };
  enum class State { kBooting, kShell, kRunning, kPaused };
  struct Due {
    Step step;
    InstanceId id;
    std::string reason;
  };
  struct Instance {
    BootOrder order;
    FakeScript script;
    bool runs = true;  // as soon as it can: boot(), or prepare() and then run()
    State state = State::kBooting;
    bool stopping = false;
    uint64_t ran_ns = 0;  // before running_since_ns
    uint64_t running_since_ns = 0;
  };

  void advance_to_clock();
  void schedule(uint64_t time_ns, Due due) { agenda_.emplace(time_ns, std::move(due)); }
  void unschedule(InstanceId id);
  void happen(const Due& due);
  void start(BootOrder order, bool runs);
  void spawn(InstanceId id, Instance& instance);
  void set_running(InstanceId id, Instance& instance, uint64_t up_after_ns);
  void tell(DriverEventKind kind, InstanceId id, std::string reason = {});

  const Clock clock_;
  uint64_t now_ns_ = 0;
  FakeScript default_script_;
  std::map<uint64_t, FakeScript> scripts_;
  std::map<InstanceId, Instance> instances_;
  std::multimap<uint64_t, Due> agenda_;  // by time; equal times in the order of insertion
  std::deque<DriverEvent> events_;
  std::vector<Boot> boots_;
  std::vector<Stop> stops_;
};

}  // namespace cheshire
