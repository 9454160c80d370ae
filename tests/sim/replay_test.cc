// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Replay equality: the control loop under a random load, every decision traced to a file; the file's inputs
// through the policies again give the same decisions, bit for bit. And what happens to a file that is damaged.
#include "controlplane/trace/replay.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "tests/support/control_stage.h"
#include "tests/support/temporary_directory.h"
#include "tools/trace_view.h"

namespace cheshire::test {
namespace {

ServiceConfig with_policies() {
  ServiceConfig service{.instances_max = 8, .in_flight_soft = 8, .idle_after_ns = 50 * kNsPerMs};
  service.metrics_window_ns = 20 * kNsPerMs;
  service.policies = {{.name = "out",
                       .kind = PolicyKind::kStep,
                       .metric = Metric::kInFlight,
                       .adjustment = Adjustment::kPercent,
                       .steps = {{6, 8, 50}, {8, {}, 100}}},
                      {.name = "in",
                       .kind = PolicyKind::kStep,
                       .metric = Metric::kInFlight,
                       .adjustment = Adjustment::kPercent,
                       .steps = {{{}, 3, -50}}},
                      {.name = "cpu", .kind = PolicyKind::kTarget, .metric = Metric::kCpu, .target = 700},
                      {.name = "on-demand", .kind = PolicyKind::kOnDemand},
                      {.name = "idle", .kind = PolicyKind::kIdle}};
  return service;
}

// Flows swell and fade at random; whoever boots answers as soon as it can.
void play(ControlStage& stage, uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const auto demand = static_cast<uint32_t>(random() % 40);
    uint32_t ready = 0;
    for (uint16_t slot = 0; slot < stage.config().slots(); ++slot) {
      if (stage.is_attached(slot) && stage.load(slot).ready_generation.get() == 0)
        stage.answers_a_probe(slot);
      if (stage.instance(slot).state == InstanceState::kActive) ++ready;
    }
    for (uint16_t slot = 0; slot < stage.config().slots(); ++slot) {
      const bool serves = stage.instance(slot).state == InstanceState::kActive;
      if (stage.is_attached(slot)) stage.has_flows(slot, serves ? demand / std::max(ready, 1U) : 0);
    }
    stage.syns_wait(ready == 0 ? demand / 4 : 0);
    stage.advance((1 + random() % 20) * kNsPerMs);
  }
}

std::string bytes_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Trace read(const std::string& bytes) {
  return read_trace(std::as_bytes(std::span(bytes)));
}

std::string traced(uint64_t seed, const std::string& path) {
  {
    ControlStage stage(one_service(with_policies()), path);
    play(stage, seed, 600);
  }
  return bytes_of_file(path);
}

TEST(Replay, the_same_rules_give_the_same_decisions_bit_for_bit) {
  const TemporaryDirectory directory;
  for (const uint64_t seed : {1U, 2U, 3U}) {
    const std::string bytes = traced(seed, directory.path("trace" + std::to_string(seed)));
    const Trace trace = read(bytes);
    EXPECT_TRUE(trace.damages.empty());
    const Replay replay = replay_same(trace);
    EXPECT_GT(replay.decisions.size(), 100U) << "seed " << seed;
    EXPECT_EQ(replay.different, 0U) << "seed " << seed;
    EXPECT_EQ(replay.without_rules, 0U);
    std::set<Reason> reasons;
    for (const ReplayedDecision& decision : replay.decisions) {
      reasons.insert(decision.now.by);
      EXPECT_EQ(std::memcmp(&decision.now, &decision.recorded.decision, sizeof(Decision)), 0);
      EXPECT_EQ(decision.service, "web");
    }
    EXPECT_TRUE(reasons.contains(Reason::kStep) && reasons.contains(Reason::kOnDemand)) << "seed " << seed;
  }
}

TEST(Replay, other_rules_show_what_would_have_been) {
  const TemporaryDirectory directory;
  const Trace trace = read(traced(4, directory.path("trace")));
  ServiceConfig other = one_service(with_policies()).services[0];
  other.instances_max = 2;
  const Replay replay = replay_other(trace, {other});
  EXPECT_GT(replay.decisions.size(), 100U);
  EXPECT_GT(replay.different, 0U);
  for (const ReplayedDecision& decision : replay.decisions) EXPECT_LE(decision.now.wanted, 2U);
  other.name = "somebody-else";
  EXPECT_EQ(replay_other(trace, {other}).decisions.size(), 0U);
}

TEST(Replay, every_boot_and_every_drain_has_its_record) {
  const TemporaryDirectory directory;
  ControlStage stage(one_service(with_policies()), directory.path("trace"));
  play(stage, 5, 300);
  uint64_t grown = 0;
  for (const auto& [number, record] : stage.trace().latest(0, DecisionTrace::kRingRecords)) {
    if (record.decision.wanted > record.view.size) grown += record.slots_count;
  }
  EXPECT_GE(grown, stage.driver().boots().size());
  EXPECT_EQ(stage.trace().lost(), 0U);
}

TEST(Trace, a_file_that_was_cut_off_is_read_as_far_as_it_is_whole) {
  const TemporaryDirectory directory;
  const std::string bytes = traced(6, directory.path("trace"));
  const size_t whole = read(bytes).records.size();
  for (const size_t cut : {size_t{1}, size_t{15}, size_t{231}, size_t{232}, size_t{5000}}) {
    const Trace trace = read(bytes.substr(0, bytes.size() - cut));
    EXPECT_LT(trace.records.size(), whole);
    EXPECT_GE(trace.records.size() + cut / 32 + 1, whole);
    EXPECT_EQ(trace.damages.size(), cut == 232 ? 0U : 1U) << cut;
    EXPECT_EQ(replay_same(trace).different, 0U);
  }
}

TEST(Trace, a_damaged_record_is_left_out_and_the_rest_is_read) {
  const TemporaryDirectory directory;
  std::string bytes = traced(7, directory.path("trace"));
  const Trace before = read(bytes);
  std::mt19937_64 random(8);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    const size_t at = random() % damaged.size();
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    const Trace trace = read(damaged);
    ASSERT_EQ(trace.records.size() + 1, before.records.size()) << at;
    ASSERT_EQ(trace.damages.size(), 1U);
    EXPECT_TRUE(trace.damages[0].offset <= at && at < trace.damages[0].offset + trace.damages[0].bytes);
  }
  const std::string garbage = "no trace at all " + bytes.substr(0, 32) + std::string(1000, 'x');
  const Trace trace = read(garbage);
  EXPECT_EQ(trace.records.size(), 1U);
  EXPECT_EQ(trace.damages.size(), 2U);
}

TEST(Trace, is_shown_to_people_and_as_json) {
  const TemporaryDirectory directory;
  const std::string path = directory.path("trace");
  const std::string bytes = traced(9, path);
  std::ostringstream out;
  std::ostringstream errors;
  EXPECT_EQ(show_trace_file(path, false, out, errors), 0);
  EXPECT_NE(out.str().find("web  "), std::string::npos);
  EXPECT_NE(out.str().find("step out ("), std::string::npos) << out.str().substr(0, 500);
  EXPECT_EQ(errors.str(), "");

  std::ostringstream json;
  EXPECT_EQ(show_trace_file(path, true, json, errors), 0);
  std::istringstream lines(json.str());
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_FALSE(Json::parse(line).is_discarded());
  EXPECT_EQ(count + 1, read(bytes).records.size()) << "all but the begin";

  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes.substr(0, bytes.size() - 7);
  EXPECT_EQ(show_trace_file(path, false, out, errors), 0);
  EXPECT_NE(errors.str().find("225 bytes left out at offset"), std::string::npos) << errors.str();
  EXPECT_EQ(replay_trace_file({.trace = path}, out, errors), 0);
  EXPECT_NE(errors.str().find(" 0 differ"), std::string::npos) << errors.str();
  EXPECT_EQ(show_trace_file(directory.path("nothing"), false, out, errors), 1);
}

TEST(Trace, a_full_file_becomes_the_old_one) {
  const TemporaryDirectory directory;
  const std::string path = directory.path("trace");
  {
    DecisionTrace trace;
    ASSERT_TRUE(trace.write_to(path, 4096).ok());
    trace.append(trace_rules(ServiceIndex{0}, one_service(with_policies()).services[0]));
    for (uint64_t i = 1; i <= 100; ++i) {
      TraceDecision record;
      record.time_ns = i;
      seal(record);
      trace.append(record);
      if (i % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(250));
    }
  }
  const Trace now = read(bytes_of_file(path));
  const Trace old = read(bytes_of_file(path + ".1"));
  for (const Trace* trace : {&now, &old}) {
    EXPECT_TRUE(trace->damages.empty());
    ASSERT_GE(trace->records.size(), 3U);
    EXPECT_TRUE(std::holds_alternative<TraceBegin>(trace->records[0]));
    EXPECT_TRUE(std::holds_alternative<TraceRules>(trace->records[1])) << "each file can be read by itself";
  }
  EXPECT_EQ(std::get<TraceDecision>(now.records.back()).time_ns, 100U);
}

}  // namespace
}  // namespace cheshire::test
