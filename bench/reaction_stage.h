// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What reaction_bench measures on: the control loop with all that it works with, a driver that looks at the clock, and
// a worker that takes each table at once. Whoever makes a Stage runs its tick() on one thread; another one plays the
// worker and writes the board and the ring.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/control_loop.h"
#include "counter.h"
#include "doorbell.h"
#include "log.h"

namespace cheshire::bench {

// Looks at the clock when it is told to boot; nothing boots, nothing ends.
class ClockDriver final : public Driver {
 public:
  explicit ClockDriver(size_t slots) : booted_ns_(slots) {}
  [[nodiscard]] std::string_view name() const override { return "clock"; }
  [[nodiscard]] std::string description() const override { return "looks at the clock"; }
  void boot(BootOrder order) override {
    ++boots_;
    booted_ns_[order.id.slot.value].publish(monotonic_ns());
  }
  void stop(InstanceId) override {}
  [[nodiscard]] std::optional<DriverEvent> next_event() override { return std::nullopt; }

  [[nodiscard]] uint64_t booted_ns(uint16_t slot) const { return booted_ns_[slot].observe(); }
  [[nodiscard]] uint32_t boots() const { return boots_; }

 private:
  std::vector<Counter> booted_ns_;  // writer: control thread
  uint32_t boots_ = 0;
};

// `count` services that are as `like`, but for their names and addresses.
[[nodiscard]] Config services(size_t count, const ServiceConfig& like);

// The control loop with all that it works with, and a worker that takes each table at once.
struct Stage {
  explicit Stage(Config from, size_t ring_records = 65536)
      : config(std::move(from)),
        board(config.slots(), config.services.size()),
        ring(ring_records),
        driver(config.slots()),
        control(config, {.board = &board,
                         .load_rings = {&ring},
                         .steering = &steering,
                         .status = &status,
                         .drivers = {{DriverKind::kFake, &driver}},
                         .connected = [](SlotIndex) { return false; },
                         .vhost_socket = [](SlotIndex) { return std::string("/none"); },
                         .trace = &trace}) {
    log::set_level("off");
  }
  bool tick(uint64_t now_ns) {
    const bool busy = control.tick(now_ns);
    steering.pass(0, steering.latest()->version);
    return busy;
  }
  void is_ready(uint16_t slot, uint32_t generation) {
    board.slot(SlotIndex{slot}).attached_generation.publish(generation);
    board.slot(SlotIndex{slot}).ready_generation.publish(generation);
  }

  const Config config;
  LoadBoard board;
  SpscRing<LoadRecord> ring;
  Published<SteeringTable> steering{1};
  StatusBoard status;
  DecisionTrace trace;
  ClockDriver driver;
  Doorbell bell;
  ControlLoop control;
};

[[nodiscard]] uint64_t thread_cpu_ns();
// What a worker would send of that slot now.
[[nodiscard]] LoadRecord record_of(const Stage& stage, LoadEdge edge, uint16_t service, uint16_t slot,
                                   uint64_t now_ns);
// Sorts them.
[[nodiscard]] double percentile(std::vector<double>& values, double part);

}  // namespace cheshire::bench
