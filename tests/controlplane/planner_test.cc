// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What is planned for which service: states in, actions out, each row a sentence.
#include "controlplane/fleet/planner.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/support/sentence.h"

namespace cheshire::test {
namespace {

constexpr uint64_t kNow = 100 * kNsPerSecond;
using Row = ServiceSnapshot::Row;

// A service with one row for each state; what the states were reached by is long ago.
struct Scene {
  explicit Scene(const std::vector<InstanceState>& states) {
    rules.instances_max = static_cast<uint32_t>(states.size());
    snapshot.rules = &rules;
    snapshot.revision = 1;
    snapshot.driver_has_tiers = true;
    for (const InstanceState state : states) {
      const uint16_t slot = static_cast<uint16_t>(snapshot.rows.size());
      snapshot.rows.push_back({.instance = {.id = {SlotIndex{slot}, Generation{1}},
                                            .service = ServiceIndex{0},
                                            .number = slot,
                                            .state = state,
                                            .revision = 1,
                                            .ready_ns = kNsPerSecond},
                               .sight = {.has_tiers = true}});
    }
  }

  // "0 called back, 1 boot ordered"
  [[nodiscard]] std::string planned(uint32_t wanted, Reason by = Reason::kOnDemand, uint32_t waiting = 0) {
    ServiceView view{.size = snapshot.count([](const Instance& one) { return one.counts(); }),
                     .booting = snapshot.count(InstanceState::kBooting),
                     .waiting_syns = waiting};
    Plan made;
    plan(snapshot, view, {.wanted = wanted, .by = by}, kNow, made);
    return words(made);
  }
  [[nodiscard]] std::string seen() {
    Plan made;
    plan_from_sight(snapshot, kNow, made);
    return words(made);
  }
  [[nodiscard]] static std::string words(const Plan& made) {
    std::string all;
    for (const Action& action : made.actions) {
      if (!all.empty()) all += ", ";
      all += std::to_string(action.slot.value) + " " + word(action);
    }
    return all;
  }
  [[nodiscard]] static std::string word(const Action& action) {
    switch (action.kind) {
      case ActionKind::kBegin:
      case ActionKind::kChange:
        return to_string(action.cause);
      case ActionKind::kBeginSuccessor:
        return "successor ordered";
      case ActionKind::kOrderPause:
        return "pause ordered";
      case ActionKind::kFail:
        return "failed";
      case ActionKind::kProve:
        return "proven";
      case ActionKind::kRetire:
        return "retires";
      case ActionKind::kSucceed:
        return "has succeeded";
      case ActionKind::kServeAsLast:
        return "serves as the last";
      case ActionKind::kStopServing:
        return "stops serving";
    }
    return "?";
  }

  ServiceConfig rules;
  ServiceSnapshot snapshot;
};

using enum InstanceState;

struct SizeRow {
  const char* sentence;
  std::vector<InstanceState> states;
  uint32_t wanted;
  std::function<void(Scene&)> with;
  const char* actions;
  Reason by = Reason::kOnDemand;
};
void PrintTo(const SizeRow& row, std::ostream* out) {
  *out << row.sentence;
}
class PlannedSize : public ::testing::TestWithParam<SizeRow> {};

TEST_P(PlannedSize, is_reached_by) {
  Scene scene(GetParam().states);
  if (GetParam().with) GetParam().with(scene);
  EXPECT_EQ(scene.planned(GetParam().wanted, GetParam().by), GetParam().actions);
}

const SizeRow kSizes[] = {
    {"nothing is wanted and nothing is there", {kAbsent, kAbsent}, 0, {}, ""},
    {"from zero the first slot is booted", {kAbsent, kAbsent}, 1, {}, "0 boot ordered"},
    {"the fastest tier first: called back, resumed, a shell, a boot",
     {kAbsent, kShell, kStandby, kDraining},
     4,
     {},
     "3 called back, 2 resumed, 1 shell started, 0 boot ordered"},
    {"one that was never ready is called back as booting",
     {kDraining},
     1,
     [](Scene& scene) { scene.snapshot.rows[0].instance.ready_ns = 0; },
     "0 called back before it was ready"},
    {"one that goes for good is not called back",
     {kDraining, kAbsent},
     1,
     [](Scene& scene) { scene.snapshot.rows[0].instance.retiring = true; },
     "1 boot ordered"},
    {"after a boot that failed only what has booted comes back",
     {kAbsent, kStandby},
     2,
     [](Scene& scene) { scene.snapshot.backoff.failed(kNow); },
     "1 resumed"},
    {"the emptiest goes, whatever flows it has",
     {kActive, kActive, kActive},
     2,
     [](Scene& scene) {
       for (Row& row : scene.snapshot.rows) row.sight.in_flight = 3;
       scene.snapshot.rows[1].sight.in_flight = 1;
     },
     "1 drain ordered"},
    {"among equals the last slot goes",
     {kActive, kActive, kActive},
     1,
     {},
     "2 drain ordered, 1 drain ordered"},
    {"idle takes nobody with a flow",
     {kActive, kActive},
     0,
     [](Scene& scene) { scene.snapshot.rows[1].sight.in_flight = 1; },
     "0 drain ordered",
     Reason::kIdle},
    {"quiet flows are paused where the service is so",
     {kActive},
     1,
     [](Scene& scene) {
       scene.rules.idle = IdleAction::kPause;
       scene.snapshot.rows[0].sight.in_flight = 1;
     },
     "0 went quiet"},
    {"not if a client waits for an answer",
     {kActive},
     1,
     [](Scene& scene) {
       scene.rules.idle = IdleAction::kPause;
       scene.snapshot.rows[0].sight.in_flight = 1;
       scene.snapshot.rows[0].sight.flows_owing = 1;
     },
     ""},
    {"a pool is refilled by one",
     {kAbsent, kAbsent},
     0,
     [](Scene& scene) { scene.rules.shells = 2; },
     "0 shell ordered"},
    {"not just after somebody waited",
     {kAbsent},
     0,
     [](Scene& scene) {
       scene.rules.shells = 1;
       scene.snapshot.last_demand_ns = kNow - kNsPerMs;
     },
     ""},
    {"a shell becomes standby before another is booted for that",
     {kAbsent, kShell},
     0,
     [](Scene& scene) {
       scene.rules.shells = 1;
       scene.rules.standby = 1;
     },
     "1 warming ordered"},
    {"a pool with too many is trimmed",
     {kShell, kShell},
     0,
     [](Scene& scene) { scene.rules.shells = 1; },
     "1 dismissed"},
    {"an old image is replaced by a successor",
     {kActive, kAbsent},
     1,
     [](Scene& scene) { scene.snapshot.rows[0].instance.revision = 0; },
     "1 successor ordered"},
    {"a successor that is ready retires the old one",
     {kActive, kActive},
     2,
     [](Scene& scene) {
       scene.snapshot.rows[0].instance.revision = 0;
       scene.snapshot.rows[1].instance.replaces = true;
     },
     "1 has succeeded, 0 retires, 0 drain ordered"},
    {"without a slot the old one goes first",
     {kActive},
     1,
     [](Scene& scene) { scene.snapshot.rows[0].instance.revision = 0; },
     "0 retires, 0 drain ordered"},
    {"the last that drains for good goes on serving",
     {kDraining},
     1,
     [](Scene& scene) {
       scene.snapshot.rows[0].instance.retiring = true;
       scene.snapshot.rows[0].sight.in_flight = 1;
     },
     "0 serves as the last"},
};
INSTANTIATE_TEST_SUITE_P(A, PlannedSize, ::testing::ValuesIn(kSizes), kSentenceAsName);

struct SightRow {
  const char* sentence;
  InstanceState state;
  std::function<void(Row&)> seen;
  const char* actions;
};
void PrintTo(const SightRow& row, std::ostream* out) {
  *out << row.sentence;
}
class PlannedFromSight : public ::testing::TestWithParam<SightRow> {};

TEST_P(PlannedFromSight, is) {
  Scene scene({GetParam().state});
  Row& row = scene.snapshot.rows[0];
  row.instance.proven = true;
  row.instance.ordered_ns = row.instance.drain_began_ns = kNow - kNsPerMs;
  if (GetParam().seen) GetParam().seen(row);
  EXPECT_EQ(scene.seen(), GetParam().actions);
}

const SightRow kSights[] = {
    {"an answer makes a booting one active", kBooting, [](Row& row) { row.sight.ready = true; },
     "0 answered"},
    {"one that nobody asks may stay unproven", kBooting,
     [](Row& row) {
       row.sight.attached = true;
       row.instance.ordered_ns = 0;
     },
     ""},
    {"one without a network device fails at the deadline", kBooting,
     [](Row& row) { row.instance.ordered_ns = kNow - 2 * kNsPerSecond; }, "0 failed"},
    {"a dead port fails it", kActive, [](Row& row) { row.sight.dead = true; }, "0 failed"},
    {"a shell has no port", kShell, [](Row& row) { row.sight.dead = true; }, ""},
    {"one that is silent for too long fails", kActive,
     [](Row& row) { row.sight.silent_since_ns = kNow - 60 * kNsPerSecond; }, "0 failed"},
    {"one that lives for a while is proven", kActive, [](Row& row) { row.instance.proven = false; },
     "0 proven"},
    {"a drained one leaves after the grace", kDraining,
     [](Row& row) { row.instance.empty_since_ns = kNow - 5 * kNsPerMs; }, "0 drained"},
    {"not before", kDraining, [](Row& row) { row.instance.empty_since_ns = kNow - kNsPerMs; }, ""},
    {"at the drain deadline it leaves with its flows", kDraining,
     [](Row& row) { row.instance.drain_began_ns = kNow - 30 * kNsPerSecond; }, "0 drain deadline passed"},
    {"a pause waits for every worker", kPausing, {}, ""},
    {"and is then ordered", kPausing, [](Row& row) { row.sight.table_passed = true; }, "0 pause ordered"},
    {"a packet calls it off", kPausing,
     [](Row& row) {
       row.sight.table_passed = true;
       row.sight.in_flight = 1;
       row.instance.packets = 1;
     },
     "0 pause called off"},
    {"a packet wakes a standby instance", kStandby, [](Row& row) { row.sight.wake_since_ns = 1; },
     "0 resumed"},
};
INSTANTIATE_TEST_SUITE_P(A, PlannedFromSight, ::testing::ValuesIn(kSights), kSentenceAsName);

TEST(Planner, a_drained_one_is_kept_only_as_long_as_standby_wants_one) {
  Scene scene({kDraining, kDraining});
  scene.rules.standby = 1;
  for (Row& row : scene.snapshot.rows) {
    row.instance.proven = true;
    row.instance.empty_since_ns = kNow - kNsPerSecond;
  }
  EXPECT_EQ(scene.seen(), "0 kept on standby, 1 drained");
}

TEST(Planner, the_first_actions_are_those_that_the_decision_wanted) {
  Scene scene({kAbsent, kActive});
  scene.snapshot.rows[1].instance.revision = 0;
  scene.rules.shells = 1;
  Plan made;
  plan(scene.snapshot, {.size = 1}, {.wanted = 2}, kNow, made);
  EXPECT_EQ(made.by_decision, 1U);
  EXPECT_GT(made.actions.size(), 1U);
}

TEST(Planner, a_successor_may_take_a_slot_that_nobody_has) {
  Scene scene({kActive});
  scene.snapshot.rows[0].instance.revision = 0;
  Instance spare;
  spare.id.slot = SlotIndex{7};
  scene.snapshot.spare = &spare;
  EXPECT_EQ(scene.planned(1), "7 successor ordered");
}

TEST(Planner, at_the_end_all_that_live_leave_at_once) {
  Scene scene({kAbsent, kShell, kActive, kStandby, kLeaving, kStopping});
  Plan made;
  plan_shutdown(scene.snapshot, kNow, made);
  EXPECT_EQ(Scene::words(made), "1 shut down, 2 shut down, 3 shut down");
}

TEST(Planner, a_service_that_is_gone_drains_what_may_have_flows_and_dismisses_the_rest) {
  Scene scene({kAbsent, kShell, kActive, kStandby});
  scene.snapshot.rows[3].sight.in_flight = 1;
  Plan made;
  plan_wind_down(scene.snapshot, kNow, made);
  EXPECT_EQ(Scene::words(made),
            "1 dismissed, 2 retires, 2 drain ordered, 3 resumed, 3 retires, 3 drain ordered");
}

}  // namespace
}  // namespace cheshire::test
