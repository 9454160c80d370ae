// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Metrics: windows by themselves, and what the control loop makes of the load board and of load records.
#include <gtest/gtest.h>

#include "controlplane/policy/metric_window.h"
#include "tests/controlplane/operator.h"

namespace cheshire::test {
namespace {

constexpr uint64_t kWindow = 80 * kNsPerMs;

TEST(WindowRate, is_unknown_until_most_of_a_window_was_seen) {
  WindowRate rate;
  for (uint64_t ms = 1; ms <= 59; ++ms) {
    rate.look(ms * kNsPerMs, ms * 5, kWindow);
    EXPECT_FALSE(rate.per_second(kWindow).has_value()) << ms;
  }
  rate.look(62 * kNsPerMs, 62 * 5, kWindow);
  EXPECT_EQ(rate.per_second(kWindow), 5000);
}

TEST(WindowRate, forgets_what_is_older_than_the_window) {
  WindowRate rate;
  uint64_t count = 0;
  for (uint64_t ms = 1; ms <= 500; ++ms) {
    if (ms < 250) count += 7;
    rate.look(ms * kNsPerMs, count, kWindow);
  }
  EXPECT_EQ(rate.per_second(kWindow), 0);
}

TEST(WindowRate, misses_no_burst_between_two_looks) {
  WindowRate rate;
  for (uint64_t ms = 1; ms <= 200; ++ms) rate.look(ms * kNsPerMs, ms < 200 ? 0 : 1000, kWindow);
  EXPECT_GE(*rate.per_second(kWindow), 12500) << "1,000 within a window of 80 ms";
}

TEST(WindowRate, looks_that_come_late_are_used) {
  WindowRate rate;
  rate.look(kNsPerSecond, 0, kWindow);
  rate.look(2 * kNsPerSecond, 500, kWindow);
  EXPECT_EQ(rate.per_second(kWindow), 500);
}

TEST(WindowMax, holds_a_peak_for_a_window_and_then_lets_go) {
  WindowMax level;
  for (uint64_t ms = 1; ms <= 300; ++ms) {
    level.look(ms * kNsPerMs, ms == 100 ? 9 : 2, kWindow);
    if (ms >= 100 && ms < 180) {
      EXPECT_EQ(level.get(), 9) << ms;
    }
    if (ms >= 195) {
      EXPECT_EQ(level.get(), 2) << ms;
    }
  }
}

TEST(Smoothed, follows_with_its_time_constant) {
  Smoothed mean;
  EXPECT_EQ(mean.look(kNsPerSecond, 0, kNsPerSecond), 0);
  EXPECT_EQ(mean.look(2 * kNsPerSecond, 1000, kNsPerSecond), 632);
  EXPECT_EQ(mean.look(3 * kNsPerSecond, 1000, 0), 1000) << "none";
}

ServiceConfig watched(PolicyConfig policy) {
  ServiceConfig service{.instances_max = 3, .in_flight_soft = 1000, .idle_after_ns = 100 * kNsPerSecond};
  service.metrics_window_ns = kWindow;
  service.policies = {std::move(policy)};
  return service;
}

PolicyConfig out_above(Metric metric, int64_t bound) {
  return {.name = "out", .kind = PolicyKind::kStep, .metric = metric, .steps = {{bound, {}, 1}}};
}

// One instance is ready; then `each_ms` happens every millisecond.
void expect_out(ControlStage& stage, uint64_t within_ms, const std::function<void()>& each_ms) {
  has_served(stage);
  stage.advance(300 * kNsPerMs);
  ASSERT_EQ(stage.states(), "active absent absent");
  uint64_t ms = 0;
  for (; ms < within_ms && stage.states() == "active absent absent"; ++ms) {
    each_ms();
    stage.advance(kNsPerMs);
  }
  EXPECT_EQ(stage.states(), "active booting absent");
}

TEST(ServiceMetrics, packets_per_second) {
  ControlStage stage(one_service(watched(out_above(Metric::kPacketRate, 50'000))));
  expect_out(stage, 90, [&] { stage.load(0).packets_to_guest.add(51); });
}
TEST(ServiceMetrics, bits_per_second) {
  ControlStage stage(one_service(watched(out_above(Metric::kBitRate, 8'000'000))));
  expect_out(stage, 90, [&] { stage.load(0).bytes_from_guest.add(1001); });
}
TEST(ServiceMetrics, flows_per_second) {
  ControlStage stage(one_service(watched(out_above(Metric::kFlowRate, 3000))));
  expect_out(stage, 90, [&] { stage.board().service(ServiceIndex{0}).syns.add(4); });
}
TEST(ServiceMetrics, handshake_time) {
  ControlStage stage(one_service(watched(out_above(Metric::kHandshakeTime, 2 * kNsPerMs))));
  expect_out(stage, 90, [&] {
    stage.load(0).handshakes.increment();
    stage.load(0).handshake_ns.add(3 * kNsPerMs);
  });
}
TEST(ServiceMetrics, queue_delay_is_seen_at_once) {
  ControlStage stage(one_service(watched(out_above(Metric::kQueueDelay, kNsPerMs))));
  expect_out(stage, 1, [&] { stage.load(0).queue_delay_ns.set(2 * kNsPerMs); });
}
TEST(ServiceMetrics, a_peak_that_only_a_record_tells_counts) {
  ControlStage stage(one_service(watched(out_above(Metric::kInFlight, 20))));
  expect_out(stage, 1, [&] {
    LoadRecord record;
    record.in_flight_peak = 25;
    ASSERT_TRUE(stage.load_ring().push(record));
  });
}
TEST(ServiceMetrics, cpu_of_the_vcpu_threads) {
  ControlStage stage(one_service(watched(out_above(Metric::kCpu, 600))));
  stage.driver().script_default({.cpu_millicores = 700});
  has_served(stage);
  stage.advance(300 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active booting absent");
}

TEST(ServiceMetrics, what_a_slot_counted_before_is_no_load_when_it_goes_or_comes) {
  for (const Metric metric : {Metric::kPacketRate, Metric::kBitRate, Metric::kHandshakeTime}) {
    ControlStage stage(one_service(watched(out_above(metric, 1'000'000))));
    SlotLoad& last = stage.load(2);
    last.packets_to_guest.add(1'000'000'000);
    last.bytes_to_guest.add(1'000'000'000);
    last.handshakes.add(3);
    last.handshake_ns.add(1'000'000'000);
    has_served(stage);
    stage.advance(300 * kNsPerMs);
    for (const uint32_t max : {2U, 3U}) {
      static_cast<void>(told(stage, scale_init({}, max)));
      stage.advance(300 * kNsPerMs);
      EXPECT_EQ(stage.states(), "active absent absent") << to_string(metric) << ", max " << max;
      EXPECT_EQ(stage.driver().boots().size(), 1U) << to_string(metric) << ", max " << max;
    }
  }
}

TEST(ServiceMetrics, a_step_waits_until_the_new_one_is_warm) {
  ServiceConfig service = watched(out_above(Metric::kInFlight, 20));
  service.warmup_ns = 50 * kNsPerMs;
  ControlStage stage(one_service(service));
  has_served(stage);
  stage.advance(60 * kNsPerMs);
  stage.has_flows(0, 100);
  stage.tick();
  EXPECT_EQ(stage.states(), "active booting absent");
  stage.advance(kBootNs);
  stage.answers_a_probe(1);
  stage.advance(49 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active active absent");
  stage.advance(2 * kNsPerMs);
  EXPECT_EQ(stage.states(), "active active booting");
}

TEST(ServiceMetrics, status_tells_the_last_decision_and_the_metrics) {
  ControlStage stage(one_service(watched(out_above(Metric::kInFlight, 20))));
  has_served(stage);
  stage.advance(60 * kNsPerMs);
  stage.has_flows(0, 100);
  const auto status = stage.status();
  const ServiceStatus& service = status->services[0];
  EXPECT_EQ(service.last_decision.decision.by, Reason::kStep);
  EXPECT_EQ(service.last_decision.view.size, 1U);
  EXPECT_EQ(service.last_decision.slots[0], 1U);
  EXPECT_NE(service.metrics_valid & 1U << static_cast<unsigned>(Metric::kInFlight), 0U);
  EXPECT_EQ(service.metrics[static_cast<size_t>(Metric::kInFlight)].total, 100);
}

TEST(ServiceMetrics, many_services_are_looked_at_in_turn_and_a_record_goes_first) {
  Config config = one_service({.instances_max = 1});
  for (uint16_t i = 1; i < 400; ++i) {
    config.services.push_back(service_config({.instances_max = 1}));
    config.services.back().port = be16(static_cast<uint16_t>(80 + i));
  }
  ControlStage stage(config);
  stage.tick();
  stage.syns_wait(1, 300);
  stage.syns_wait(1, 399);
  LoadRecord record;
  record.edge = LoadEdge::kDemand;
  record.service = ServiceIndex{300};
  ASSERT_TRUE(stage.load_ring().push(record));
  stage.tick();
  EXPECT_EQ(stage.instance(300).state, InstanceState::kBooting);
  EXPECT_EQ(stage.instance(399).state, InstanceState::kAbsent) << "its record was lost";
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.instance(399).state, InstanceState::kBooting);
}

}  // namespace
}  // namespace cheshire::test
