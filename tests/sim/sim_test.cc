// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A small simulator with a seed: the real control loop and the fake driver under virtual time, a model of the
// data plane (a flow goes to the ready instance with the fewest, a SYN waits where there is none), arrivals
// that swell and fade, boots that fail, VMs that die.
//
// Whatever comes: a service stays within its bounds; an instance is stopped with a flow in flight only when
// it failed or its drain deadline has passed; the demand that can be met is met; and when nobody calls any
// more, everything ends at zero.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <map>
#include <random>

#include "tests/support/control_stage.h"

namespace cheshire::test {
namespace {

struct World {
  const char* name;
  uint64_t seed;
  ServiceConfig service;
  unsigned boot_fails_percent = 0;
  unsigned crashes_per_second = 0;
  uint64_t flow_lasts_ns = 20 * kNsPerMs;  // in the mean
};

void PrintTo(const World& world, std::ostream* out) {
  *out << world.name;
}

class Sim : public ::testing::TestWithParam<World> {
 protected:
  Sim() : world_(GetParam()), stage_(one_service(world_.service)), random_(world_.seed) {
    flows_.resize(stage_.config().slots());
  }

  double uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  bool happens(double per_second) {
    return uniform() < per_second * static_cast<double>(kStepNs) / static_cast<double>(kNsPerSecond);
  }

  void step(double arrivals_per_second) {
    if (stage_.driver().boots().size() + 1 != scripted_) script_next_boot();
    const double expected =
        arrivals_per_second * static_cast<double>(kStepNs) / static_cast<double>(kNsPerSecond);
    for (int count = std::poisson_distribution<int>(expected)(random_); count > 0; --count)
      ++arrived_, arrive();
    if (happens(world_.crashes_per_second)) crash();
    expire_held();
    end_flows();
    prove();
    release_held();
    stage_.advance(kStepNs);
    check();
  }

  void script_next_boot() {
    scripted_ = stage_.driver().boots().size() + 1;
    FakeScript script{.spawn_delay_ns = 200 * kNsPerUs + random_() % kNsPerMs,
                      .guest_up_after_ns = kNsPerMs + random_() % (20 * kNsPerMs),
                      .stop_delay_ns = random_() % (10 * kNsPerMs)};
    if (random_() % 100 < world_.boot_fails_percent) {
      switch (random_() % 3) {
        case 0:
          script.start_failure = "scripted";
          break;
        case 1:
          script.guest_up_after_ns = std::nullopt;
          break;
        default:
          script.dies_after_ns = random_() % (20 * kNsPerMs);
          // What dies first is not to come up later.
          if (*script.dies_after_ns <= *script.guest_up_after_ns) script.guest_up_after_ns = std::nullopt;
      }
    }
    stage_.driver().script_boot(scripted_ - 1, script);
  }

  // --- the data plane, in a model ---

  [[nodiscard]] bool is_ready(uint16_t slot) {
    return stage_.is_attached(slot) &&
           stage_.load(slot).ready_generation.get() == stage_.listed(slot).generation.value;
  }

  void arrive() {
    if (std::optional<uint16_t> slot = emptiest_ready()) return begin_flow(*slot);
    if (held_.size() < stage_.config().services[0].hold_syns_max) held_.push_back(stage_.now_ns());
    show_held();
  }

  std::optional<uint16_t> emptiest_ready() {
    std::optional<uint16_t> best;
    for (uint16_t slot = 0; slot < flows_.size(); ++slot) {
      if (!is_ready(slot) || stage_.listed(slot).role != SlotRole::kAccepting) continue;
      if (!best || flows_[slot].size() < flows_[*best].size()) best = slot;
    }
    return best;
  }

  void begin_flow(uint16_t slot) {
    const double mean = static_cast<double>(world_.flow_lasts_ns);
    const auto lasts = static_cast<uint64_t>(std::exponential_distribution<double>(1 / mean)(random_));
    flows_[slot].emplace(stage_.now_ns() + lasts, 0);
    ++served_;
    stage_.has_flows(slot, flows_[slot].size());
  }

  void end_flows() {
    for (uint16_t slot = 0; slot < flows_.size(); ++slot) {
      auto& flows = flows_[slot];
      if (!stage_.is_attached(slot)) {
        lost_ += flows.size();
        flows.clear();
        continue;
      }
      flows.erase(flows.begin(), flows.upper_bound(stage_.now_ns()));
      stage_.has_flows(slot, flows.size());
    }
  }

  // The first SYN that waits is what an instance shows its readiness with.
  void prove() {
    for (uint16_t slot = 0; slot < flows_.size() && !held_.empty(); ++slot) {
      if (!stage_.is_attached(slot) || is_ready(slot)) continue;
      if (stage_.listed(slot).role != SlotRole::kAccepting) continue;
      held_.pop_front();
      stage_.syns_wait(0);
      stage_.answers(slot);
      begin_flow(slot);
      show_held();
    }
  }

  void release_held() {
    while (!held_.empty()) {
      const std::optional<uint16_t> slot = emptiest_ready();
      if (!slot) return;
      held_.pop_front();
      begin_flow(*slot);
      show_held();
    }
  }

  void expire_held() {
    while (!held_.empty() &&
           stage_.now_ns() - held_.front() >= stage_.config().services[0].hold_time_max_ns) {
      held_.pop_front();
    }
    show_held();
  }

  void show_held() { stage_.syns_wait(static_cast<uint32_t>(held_.size())); }

  void crash() {
    const auto slot = static_cast<uint16_t>(random_() % flows_.size());
    const Instance& instance = stage_.instance(slot);
    if (instance.state == InstanceState::kAbsent) return;
    ++crashes_;
    stage_.driver().crash(instance.id);
    if (stage_.is_attached(slot)) {
      lost_ += flows_[slot].size();
      flows_[slot].clear();
      stage_.port_dies(slot);
    }
  }

  // --- the properties ---

  void check() {
    const ServiceConfig& service = stage_.config().services[0];
    uint32_t size = 0;
    for (const Instance& instance : stage_.control().instances()) {
      if (instance.counts()) ++size;
      const bool left =
          instance.state == InstanceState::kLeaving || instance.state == InstanceState::kStopping;
      const uint16_t slot = instance.id.slot.value;
      if (left && !instance.failed && !ending_ && !flows_[slot].empty()) {
        ASSERT_NE(instance.drain_began_ns, 0U);
        ASSERT_GE(stage_.now_ns() - instance.drain_began_ns, service.drain_deadline_ns)
            << "slot " << slot << " was taken away with " << flows_[slot].size() << " flows";
      }
      ASSERT_LT(generations_[slot], instance.id.generation.value + 1U);
      generations_[slot] = instance.id.generation.value;
    }
    peak_ = std::max(peak_, size);
    ASSERT_LE(size, service.instances_max);
    ASSERT_LE(stage_.driver().running(), service.instances_max);
    if (world_.boot_fails_percent == 0 && world_.crashes_per_second == 0) {
      ASSERT_GE(size, service.instances_min);
    }
  }

  static constexpr uint64_t kStepNs = 200 * kNsPerUs;

  const World world_;
  ControlStage stage_;
  std::mt19937_64 random_;
  std::vector<std::multimap<uint64_t, int>> flows_;  // by slot: when they end
  std::deque<uint64_t> held_;                        // when they came
  std::map<uint16_t, uint32_t> generations_;
  size_t scripted_ = 0;
  bool ending_ = false;
  uint32_t peak_ = 0;
  uint64_t arrived_ = 0;
  uint64_t served_ = 0;
  uint64_t lost_ = 0;
  uint64_t crashes_ = 0;
};

TEST_P(Sim, keeps_its_promises) {
  const ServiceConfig& service = stage_.config().services[0];
  // Waves: up, down, a pause, twenty times.
  for (int wave = 0; wave < 20; ++wave) {
    const double peak_per_second = std::uniform_real_distribution<double>(50, 3000)(random_);
    for (int part = 0; part < 2000; ++part) {
      const double height = part < 1000 ? part / 1000.0 : (2000 - part) / 1000.0;
      step(part < 1500 ? peak_per_second * height : 0);
      ASSERT_FALSE(HasFailure()) << "wave " << wave << ", part " << part << ": " << stage_.states();
    }
  }
  // Nobody calls any more.
  const uint64_t calm_ns = 10 * world_.flow_lasts_ns + service.hold_time_max_ns + service.idle_after_ns +
                           service.boot_deadline_ns + service.drain_deadline_ns;
  for (uint64_t passed_ns = 0; passed_ns < calm_ns; passed_ns += kStepNs) step(0);
  const auto running = stage_.driver().running();
  std::cout << arrived_ << " arrived, " << served_ << " served, " << lost_ << " lost with " << crashes_
            << " crashes, " << stage_.driver().boots().size() << " boots, at most " << peak_
            << " instances\n";
  EXPECT_GT(served_, 0U);
  // VMs that die young are boots that failed, and a service whose boots fail again and again refuses.
  if (world_.boot_fails_percent == 0 && world_.crashes_per_second == 0) {
    EXPECT_GE(served_ * 100, arrived_ * 95) << "the demand could be met";
  }
  if (world_.crashes_per_second == 0) {
    EXPECT_EQ(running, service.instances_min) << stage_.states();
    if (world_.boot_fails_percent == 0) {
      EXPECT_EQ(lost_, 0U);
    }
  }

  ending_ = true;
  stage_.control().begin_shutdown();
  stage_.advance(50 * kNsPerMs);
  EXPECT_TRUE(stage_.control().all_gone()) << stage_.states();
  EXPECT_EQ(stage_.driver().running(), 0U);
}

ServiceConfig sim_service(uint32_t min, uint32_t max, uint32_t soft) {
  return {.instances_min = min,
          .instances_max = max,
          .in_flight_soft = soft,
          .hold_time_max_ns = 500 * kNsPerMs,
          .boot_deadline_ns = 100 * kNsPerMs,
          .idle_after_ns = 30 * kNsPerMs,
          .drain_deadline_ns = 400 * kNsPerMs};
}

const World kWorlds[] = {
    {"from_zero", 1, sim_service(0, 8, 8)},
    {"one_instance_at_most", 2, sim_service(0, 1, 8)},
    {"min_is_kept", 3, sim_service(2, 8, 8)},
    {"a_soft_limit_of_one", 4, sim_service(0, 20, 1), 0, 0, 2 * kNsPerMs},
    {"boots_fail", 5, sim_service(0, 8, 8), 20},
    {"most_boots_fail", 6, sim_service(0, 8, 8), 80},
    {"vms_die", 7, sim_service(0, 8, 8), 0, 20},
    {"vms_die_and_boots_fail", 8, sim_service(1, 8, 8), 30, 20},
    {"long_flows", 9, sim_service(0, 8, 32), 0, 0, 100 * kNsPerMs},
};
INSTANTIATE_TEST_SUITE_P(World, Sim, ::testing::ValuesIn(kWorlds),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace cheshire::test
