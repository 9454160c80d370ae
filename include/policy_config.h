// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a scaling policy is told: plain values, made by the config reader and by commands, read by
// controlplane/policy*.h. docs/autoscaling.md says what each means and walks through examples.
//
//   kind       asks for                                                      uses
//   step       a change by the first range that the metric's value is in     metric, adjustment, steps
//   target     ceil(sum of the metric over the instances / target), at once  metric, target
//   on_demand  enough instances that none is at in_flight.soft               nothing more
//   idle       less by those that had no flow for idle_after                 nothing more
//
// Ranges are [lower, upper): lower inclusive, upper exclusive. An absent end is open: it is allowed for the
// lower end of the first range and the upper end of the last.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cheshire {

// Values are integers in the unit given here, per instance of the service. What each is exactly:
// docs/autoscaling.md, "Metrics".
enum class Metric : uint8_t {
  kCpu,            // millicores of the vCPU: 1000 is one busy all the time
  kInFlight,       // open flows per instance, SYNs that wait included
  kFlowRate,       // new flows per second and instance
  kPacketRate,     // packets per second and instance, both directions
  kBitRate,        // bits per second and instance, both directions
  kQueueDelay,     // ns: age of the oldest packet that a guest has not consumed, of the worst instance
  kHandshakeTime,  // ns: from a SYN given to a guest to its SYN-ACK, the mean of all
};
inline constexpr size_t kMetrics = 7;
inline constexpr std::array<std::string_view, kMetrics> kMetricNames = {
    "cpu", "in_flight", "flow_rate", "packet_rate", "bit_rate", "queue_delay", "handshake_time"};

enum class PolicyKind : uint8_t { kStep, kTarget, kOnDemand, kIdle };
inline constexpr std::array<std::string_view, 4> kPolicyKindNames = {"step", "target", "on_demand", "idle"};

// What a step's number means: percent of the present size (away from zero, by one at least), a number of
// instances more or less, or the size itself.
enum class Adjustment : uint8_t { kPercent, kChange, kExact };
inline constexpr std::array<std::string_view, 3> kAdjustmentNames = {"percent", "change", "exact"};

constexpr std::string_view to_string(Metric metric) {
  return kMetricNames[static_cast<size_t>(metric)];
}
constexpr std::string_view to_string(PolicyKind kind) {
  return kPolicyKindNames[static_cast<size_t>(kind)];
}
constexpr std::string_view to_string(Adjustment adjustment) {
  return kAdjustmentNames[static_cast<size_t>(adjustment)];
}

inline constexpr size_t kStepsMax = 4;     // per policy
inline constexpr size_t kPoliciesMax = 8;  // per service
inline constexpr size_t kPolicyNameMax = 32;
inline constexpr uint64_t kPolicyPaceMinNs = 10'000'000;  // least warmup and cooldown where a step policy is

struct StepRange {
  std::optional<int64_t> lower;  // inclusive
  std::optional<int64_t> upper;  // exclusive
  int32_t adjustment = 0;
  friend bool operator==(const StepRange&, const StepRange&) = default;
};

struct PolicyConfig {
  std::string name;
  PolicyKind kind = PolicyKind::kOnDemand;
  Metric metric = Metric::kCpu;                 // step, target
  Adjustment adjustment = Adjustment::kChange;  // step
  std::vector<StepRange> steps;                 // step: 1 to kStepsMax, ascending, contiguous
  int64_t target = 0;                           // target: per instance, above 0
  friend bool operator==(const PolicyConfig&, const PolicyConfig&) = default;
};

// Where a service names no policies.
[[nodiscard]] inline std::vector<PolicyConfig> default_policies() {
  return {{.name = "on-demand", .kind = PolicyKind::kOnDemand}, {.name = "idle", .kind = PolicyKind::kIdle}};
}

}  // namespace cheshire
