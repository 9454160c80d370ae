// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The words of scaling: metrics, kinds of policy, adjustments, each list once. And what a policy is told: plain
// values, made by the config reader and by commands, read by controlplane/policy/. Any thread.
// docs/autoscaling.md says what each means and walks through examples.
//
// A line of CHESHIRE_METRICS or CHESHIRE_POLICY_KINDS is an enumerator and its word. The word is what a config,
// a command, telemetry, a trace and the client say; of a kind of policy WORD_policy is the object that says all
// else about it (policy_kind.h). The order of the lines is the numbers that are written in traces: a new line
// comes last.
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
#include <utility>
#include <vector>

namespace cheshire {

// Values are integers, per instance of the service. What each is exactly, and its unit: docs/autoscaling.md,
// "Metrics".
#define CHESHIRE_METRICS(X)   \
  X(kCpu, cpu)                \
  X(kInFlight, in_flight)     \
  X(kFlowRate, flow_rate)     \
  X(kPacketRate, packet_rate) \
  X(kBitRate, bit_rate)       \
  X(kQueueDelay, queue_delay) \
  X(kHandshakeTime, handshake_time)

#define CHESHIRE_POLICY_KINDS(X) \
  X(kStep, step)                 \
  X(kTarget, target)             \
  X(kOnDemand, on_demand)        \
  X(kIdle, idle)

#define CHESHIRE_ENUMERATOR(enumerator, word) enumerator,
#define CHESHIRE_WORD(enumerator, word) std::string_view{#word},
enum class Metric : uint8_t { CHESHIRE_METRICS(CHESHIRE_ENUMERATOR) };
inline constexpr std::array kMetricNames = {CHESHIRE_METRICS(CHESHIRE_WORD)};
inline constexpr size_t kMetrics = kMetricNames.size();

enum class PolicyKind : uint8_t { CHESHIRE_POLICY_KINDS(CHESHIRE_ENUMERATOR) };
inline constexpr std::array kPolicyKindNames = {CHESHIRE_POLICY_KINDS(CHESHIRE_WORD)};
inline constexpr size_t kPolicyKinds = kPolicyKindNames.size();
#undef CHESHIRE_ENUMERATOR
#undef CHESHIRE_WORD

// What a step's number means: percent of the present size (away from zero, by one at least), a number of
// instances more or less, or the size itself.
enum class Adjustment : uint8_t { kPercent, kChange, kExact };
inline constexpr std::array<std::string_view, 3> kAdjustmentNames = {"percent", "change", "exact"};
// Unikraft Cloud's words, which are understood and never written.
inline constexpr std::array<std::pair<std::string_view, Adjustment>, 2> kAdjustmentAliases = {
    {{"percentage", Adjustment::kPercent}, {"absolute", Adjustment::kExact}}};

// The keys of a policy besides its name and kind. Each kind says which it has (policy_kind.h).
enum class PolicyKey : uint8_t { kMetric, kAdjustment, kSteps, kTarget };
inline constexpr std::array<std::string_view, 4> kPolicyKeyNames = {"metric", "adjustment", "steps",
                                                                    "target"};

constexpr std::string_view to_string(Metric metric) {
  return kMetricNames[static_cast<size_t>(metric)];
}
constexpr std::string_view to_string(PolicyKind kind) {
  return kPolicyKindNames[static_cast<size_t>(kind)];
}
constexpr std::string_view to_string(Adjustment adjustment) {
  return kAdjustmentNames[static_cast<size_t>(adjustment)];
}

constexpr std::string_view to_string(PolicyKey key) {
  return kPolicyKeyNames[static_cast<size_t>(key)];
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
  // The keys; those that its kind does not have keep these values.
  Metric metric = Metric::kCpu;
  Adjustment adjustment = Adjustment::kChange;
  std::vector<StepRange> steps;  // 1 to kStepsMax, ascending, contiguous
  int64_t target = 0;            // per instance, above 0
  friend bool operator==(const PolicyConfig&, const PolicyConfig&) = default;
};

// Of a policy that a command adds and gives no type, as Unikraft Cloud has it.
inline constexpr PolicyKind kCommandPolicyKind = PolicyKind::kStep;

// Where a service names no policies.
[[nodiscard]] inline std::vector<PolicyConfig> default_policies() {
  return {{.name = "on-demand", .kind = PolicyKind::kOnDemand}, {.name = "idle", .kind = PolicyKind::kIdle}};
}

}  // namespace cheshire
