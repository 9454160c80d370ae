// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A million simulated seconds: the real control loop, policies and fake driver, looked at once a second, under
// loads that stay for a while and then change, from a seed. Whatever comes:
//
//   never outside of min and max
//   at rest a while after the load came to rest, and then not one change of size
//   by then there is enough for the load, or all there may be
//   no instance is taken away with a flow before its drain deadline
//   when nobody calls any more, min is what is left
//
// A failure prints the world, its seed and the phase; the phases before it can be left out with
// CHESHIRE_SIM_PHASE=N, for the load of each phase depends on seed and number alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/support/control_stage.h"
#include "tests/support/sentence.h"

namespace cheshire::test {
namespace {

constexpr uint64_t kSettleSeconds = 120;
constexpr uint64_t kPhaseSeconds = 500;
constexpr uint64_t kPhases = 500;

struct World {
  const char* sentence;
  uint64_t seed;
  ServiceConfig service;
  uint32_t per_instance;  // flows that one instance is meant to bear; for "enough"
};
void PrintTo(const World& world, std::ostream* out) {
  *out << world.sentence << ", seed " << world.seed;
}

class LongSim : public ::testing::TestWithParam<World> {
 protected:
  LongSim() : stage_(one_service(GetParam().service)), flows_(stage_.config().slots()) {}

  // One second under a demand of so many open flows.
  void second(uint32_t demand, std::mt19937_64& random) {
    for (uint16_t slot = 0; slot < flows_.size(); ++slot) {
      if (!stage_.is_attached(slot)) {
        flows_[slot] = 0;
        continue;
      }
      if (!is_ready(slot)) stage_.answers_a_probe(slot);
      // Some end each second; a draining instance keeps the others.
      flows_[slot] -= std::min<uint32_t>(flows_[slot], (flows_[slot] + 9) / 10 + random() % 2);
    }
    uint32_t open = 0;
    for (const uint32_t flows : flows_) open += flows;
    for (; open > demand; --open) --*std::max_element(flows_.begin(), flows_.end());
    for (; open < demand; ++open) {
      const auto slot = emptiest_ready();
      if (!slot) break;
      ++flows_[*slot];
    }
    stage_.syns_wait(emptiest_ready() ? 0 : demand - open);
    for (uint16_t slot = 0; slot < flows_.size(); ++slot) stage_.has_flows(slot, flows_[slot]);
    stage_.jump(kNsPerSecond);
    check();
  }

  [[nodiscard]] bool is_ready(uint16_t slot) {
    return stage_.load(slot).ready_generation.get() == stage_.listed(slot).generation.value;
  }
  [[nodiscard]] std::optional<uint16_t> emptiest_ready() {
    std::optional<uint16_t> best;
    for (uint16_t slot = 0; slot < flows_.size(); ++slot) {
      const bool takes =
          stage_.is_attached(slot) && is_ready(slot) && stage_.listed(slot).role == SlotRole::kAccepting;
      if (takes && (!best || flows_[slot] < flows_[*best])) best = slot;
    }
    return best;
  }
  [[nodiscard]] uint32_t size() const {
    const auto& all = stage_.control().instances();
    return static_cast<uint32_t>(
        std::count_if(all.begin(), all.end(), [](const Instance& instance) { return instance.counts(); }));
  }

  void check() {
    const ServiceConfig& service = stage_.config().services[0];
    ASSERT_TRUE(size() >= service.instances_min && size() <= service.instances_max) << stage_.states();
    for (const Instance& instance : stage_.control().instances()) {
      const bool gone =
          instance.state == InstanceState::kLeaving || instance.state == InstanceState::kStopping;
      if (!gone || flows_[instance.id.slot.value] == 0) continue;
      ASSERT_GE(stage_.now_ns() - instance.drain_began_ns, service.drain_deadline_ns)
          << "slot " << instance.id.slot.value << " left with " << flows_[instance.id.slot.value] << " flows";
    }
  }

  mutable ControlStage stage_;
  std::vector<uint32_t> flows_;  // open, by slot
};

TEST_P(LongSim, keeps_its_promises_for_250_000_seconds) {
  const World& world = GetParam();
  const char* first = std::getenv("CHESHIRE_SIM_PHASE");
  uint64_t seconds = 0;
  for (uint64_t phase = first != nullptr ? std::strtoull(first, nullptr, 10) : 0; phase < kPhases; ++phase) {
    std::mt19937_64 random(world.seed * 1'000'003 + phase);
    const uint32_t capacity = world.service.instances_max * world.per_instance;
    const auto demand = static_cast<uint32_t>(random() % 4 == 0 ? 0 : random() % (capacity * 5 / 4));
    uint32_t rest = 0;
    for (uint64_t t = 0; t < kPhaseSeconds; ++t, ++seconds) {
      ASSERT_NO_FATAL_FAILURE(second(demand, random)) << "phase " << phase << ", second " << t;
      if (t == kSettleSeconds) rest = size();
      ASSERT_TRUE(t <= kSettleSeconds || size() == rest)
          << "phase " << phase << ", second " << t << ", demand " << demand << ": from " << rest << " to "
          << size() << " instances";
    }
    const uint32_t enough =
        std::min((demand + world.per_instance - 1) / world.per_instance, world.service.instances_max);
    ASSERT_GE(rest, enough) << "phase " << phase << ", demand " << demand;
    if (demand == 0) {
      ASSERT_LE(rest, std::max(world.service.instances_min, 1U)) << "phase " << phase;
    }
  }
  std::cout << seconds << " s, " << stage_.driver().boots().size() << " boots\n";
}

ServiceConfig long_service(uint32_t min, std::vector<PolicyConfig> policies) {
  ServiceConfig service{.instances_min = min,
                        .instances_max = 8,
                        .in_flight_soft = 10,
                        .boot_deadline_ns = 10 * kNsPerSecond,
                        .idle_after_ns = 10 * kNsPerSecond,
                        .drain_deadline_ns = 60 * kNsPerSecond};
  if (!policies.empty()) service.policies = std::move(policies);
  service.warmup_ns = service.cooldown_ns = kNsPerSecond;
  service.metrics_window_ns = 4 * kNsPerSecond;
  return service;
}

PolicyConfig in_flight_steps(std::string name, std::vector<StepRange> steps) {
  return {.name = std::move(name),
          .kind = PolicyKind::kStep,
          .metric = Metric::kInFlight,
          .adjustment = Adjustment::kPercent,
          .steps = std::move(steps)};
}
const PolicyConfig kTarget{
    .name = "target", .kind = PolicyKind::kTarget, .metric = Metric::kInFlight, .target = 10};
const PolicyConfig kIdle{.name = "idle", .kind = PolicyKind::kIdle};
const PolicyConfig kOnDemand{.name = "on-demand", .kind = PolicyKind::kOnDemand};

const World kWorlds[] = {
    {"on demand and idle", 1, long_service(0, {}), 10},
    {"steps that swing without the guard", 2,
     long_service(
         1, {in_flight_steps("out", {{6, 8, 50}, {8, {}, 100}}), in_flight_steps("in", {{{}, 5, -50}})}),
     8},
    {"a target and idle", 3, long_service(0, {kTarget, kIdle}), 10},
    {"all together", 4, long_service(2, {kTarget, in_flight_steps("in", {{{}, 7, -1}}), kOnDemand, kIdle}),
     10},
};
INSTANTIATE_TEST_SUITE_P(World, LongSim, ::testing::ValuesIn(kWorlds), kSentenceAsName);

}  // namespace
}  // namespace cheshire::test
