// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How many instances a service should have. decide() is a pure function of what was seen, the service's rules
// and the time: what has to be remembered between rounds (when it last grew and shrank, who is warm) comes in
// with the view. So a decision can be tested by a table, told from its inputs, and replayed from a trace.
//
// Terms: the size of a service is the number of instances that accept flows or are about to (booting,
// active). An instance is warm when `warmup` has passed since it was seen to be ready; only warm ones count
// in a mean. demand is the flows in flight plus the SYNs that wait.
//
// Each policy is asked what size it wants (policy_kind.h). Then:
//
//   out   the largest size that any policy wants
//   in    only if no policy wants out; the largest of the sizes wanted, and never so small that a policy would
//         want out again at the load of now (projection guard: the load of now, spread over that size)
//   zero  only `idle` takes the last instance; a SYN that waits always wakes the first
//
// Paces: a step grows only while every instance is warm, and at the earliest `warmup` after it last grew;
// step and target shrink only while every instance is warm, and `cooldown` after the service last shrank. A
// policy that would grow but has to wait still keeps the others from shrinking.
//
// Walked example. Steps 600:800/+50 %, 800:/+100 % and :500/-50 % on cpu, 2 instances at 300 millicores each.
// The second policy wants 1. Projected to 1 it is 600 millicores, where the first would want 2: so 2 it
// stays.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "config.h"
#include "policy_config.h"

namespace cheshire {

// One metric of a service. `value` is what steps are compared with: the mean over the warm instances, the
// worst of them for the two delays. `total` is the load of the whole service, what targets divide and what is
// spread anew when a size is tried out: for delays `value` times the size.
struct MetricView {
  int64_t value = 0;
  int64_t total = 0;
};

// All inputs of one decision. Recorded in traces as it is (trace_record.h).
struct ServiceView {
  uint32_t size = 0;     // instances that are booting or active
  uint32_t booting = 0;  // those of them that are not ready yet
  uint32_t cold = 0;     // those of them that are not warm yet, booting ones included
  uint32_t quiet = 0;    // those of them without a flow for `idle_after`
  uint32_t in_flight = 0;
  uint32_t waiting_syns = 0;
  uint32_t draining = 0;  // shown only
  uint32_t valid = 0;     // metrics that are known: bit 1 << Metric
  uint64_t grew_ns = 0;   // when a decision last made it larger; 0: never
  uint64_t shrank_ns = 0;
  std::array<MetricView, kMetrics> metrics{};

  [[nodiscard]] bool knows(Metric metric) const { return (valid >> static_cast<unsigned>(metric) & 1U) != 0; }
  [[nodiscard]] const MetricView& metric(Metric which) const { return metrics[static_cast<size_t>(which)]; }
  void set(Metric which, MetricView view) {
    metrics[static_cast<size_t>(which)] = view;
    valid |= 1U << static_cast<unsigned>(which);
  }
};
static_assert(std::is_trivially_copyable_v<ServiceView> && sizeof(ServiceView) == 160);

// Who asked for a size. A kind of policy has the number that it was given when it became one: the first four
// were there before kBounds and kWake, and all are written in traces.
constexpr uint8_t reason_number(PolicyKind kind) {
  const auto number = static_cast<uint8_t>(kind);
  return static_cast<uint8_t>(number < 4 ? number + 1 : number + 3);
}
enum class Reason : uint8_t {
  kNone = 0,
  kBounds = 5,
  kWake = 6,
#define CHESHIRE_REASON(enumerator, word) enumerator = reason_number(PolicyKind::enumerator),
  CHESHIRE_POLICY_KINDS(CHESHIRE_REASON)
#undef CHESHIRE_REASON
};
inline constexpr size_t kReasons = 3 + kPolicyKinds;
constexpr Reason reason_of(PolicyKind kind) {
  return static_cast<Reason>(reason_number(kind));
}
// What kept a wish from being fulfilled, or trimmed it.
enum class Brake : uint8_t { kNone, kGuard, kWarmup, kCooldown, kBounds, kLastInstance };
[[nodiscard]] const char* to_string(Reason reason);
[[nodiscard]] const char* to_string(Brake brake);

inline constexpr uint8_t kNoPolicy = 0xff;
inline constexpr uint8_t kNoStep = 0xff;

struct Decision {
  uint32_t wanted = 0;
  Reason by = Reason::kNone;  // kNone: nobody asks for a change
  Brake brake = Brake::kNone;
  uint8_t policy = kNoPolicy;  // index into ServiceConfig::policies
  uint8_t step = kNoStep;      // index into its steps
  friend bool operator==(const Decision&, const Decision&) = default;
};
static_assert(std::is_trivially_copyable_v<Decision> && sizeof(Decision) == 8);

// The same load on `size` instances, all warm; size above 0.
[[nodiscard]] ServiceView projected(const ServiceView& view, uint32_t size);

enum class Guard : uint8_t { kOn, kOff };  // off only to show what it is good for (policy_lint.h)

[[nodiscard]] Decision decide(const ServiceView& view, const ServiceConfig& rules, uint64_t now_ns,
                              Guard guard = Guard::kOn);

}  // namespace cheshire
