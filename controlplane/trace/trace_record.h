// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The layout of a decision trace: records one after another, in memory and in files, of version
// kTraceVersion. Numbers are in the byte order of x86 and most ARM, little endian; a file from elsewhere
// fails the magic.
//
//   begin      once per file: ties the monotonic clock of all times to the wall clock
//   rules      of one service: its bounds, paces and policies, at the begin of a file and when they change
//   decision   what a service's policies saw and what came of it; the rules are the last ones before it
//
// Each record has its length and a CRC-32 (IEEE 802.3) over all of it but that field, so a file that was cut
// off or damaged is read as far as it is whole, and what follows a damaged part is found again by its magic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "config.h"
#include "controlplane/policy/policy.h"

namespace cheshire {

inline constexpr uint32_t kTraceMagic = 0x52544843;  // "CHTR"
inline constexpr uint16_t kTraceVersion = 1;

enum class TraceKind : uint16_t { kBegin = 1, kRules = 2, kDecision = 3 };

struct TraceHead {
  uint32_t magic = kTraceMagic;
  uint16_t version = kTraceVersion;
  TraceKind kind = TraceKind::kBegin;
  uint32_t length = 0;  // of the record, this head included
  uint32_t crc = 0;
};
static_assert(sizeof(TraceHead) == 16 && offsetof(TraceHead, crc) == 12);

struct TraceBegin {
  TraceHead head;
  uint64_t monotonic_ns = 0;
  uint64_t realtime_ns = 0;  // since 1970, at that moment
};
static_assert(sizeof(TraceBegin) == 32);

struct TraceStep {
  int64_t lower = 0;
  int64_t upper = 0;
  int32_t adjustment = 0;
  uint8_t has_lower = 0;
  uint8_t has_upper = 0;
  uint16_t reserved = 0;
};
static_assert(sizeof(TraceStep) == 24);

struct TracePolicy {
  std::array<char, kPolicyNameMax> name{};  // filled up with zeros
  uint8_t kind = 0;                         // PolicyKind
  uint8_t metric = 0;                       // Metric
  uint8_t adjustment = 0;                   // Adjustment
  uint8_t steps_count = 0;
  uint32_t reserved = 0;
  int64_t target = 0;
  std::array<TraceStep, kStepsMax> steps{};
};
static_assert(sizeof(TracePolicy) == 144);

inline constexpr size_t kTraceNameMax = 40;

struct TraceRules {
  TraceHead head;
  uint16_t service = 0;
  uint16_t policies_count = 0;
  uint32_t min = 0;
  uint32_t max = 0;
  uint32_t in_flight_soft = 0;
  uint64_t warmup_ns = 0;
  uint64_t cooldown_ns = 0;
  uint64_t metrics_window_ns = 0;
  uint64_t metrics_smoothing_ns = 0;
  std::array<char, kTraceNameMax> name{};  // of the service, filled up with zeros
  std::array<TracePolicy, kPoliciesMax> policies{};
};
static_assert(sizeof(TraceRules) == 104 + sizeof(TracePolicy) * kPoliciesMax);

inline constexpr size_t kTraceSlotsMax = 16;

struct TraceDecision {
  TraceHead head;
  uint64_t time_ns = 0;  // monotonic; what decide() was told
  uint16_t service = 0;
  uint16_t slots_count = 0;  // how many instances were chosen; the first kTraceSlotsMax are named
  uint32_t reserved = 0;
  Decision decision;
  ServiceView view;
  std::array<uint16_t, kTraceSlotsMax> slots{};
};
static_assert(offsetof(TraceDecision, decision) == 32 && offsetof(TraceDecision, view) == 40);
static_assert(sizeof(TraceDecision) == 232);
static_assert(offsetof(ServiceView, grew_ns) == 32 && offsetof(ServiceView, metrics) == 48);
static_assert(offsetof(Decision, by) == 4 && offsetof(Decision, step) == 7);
static_assert(std::is_trivially_copyable_v<TraceDecision> && std::is_trivially_copyable_v<TraceRules>);

inline constexpr size_t kTraceRecordMax = sizeof(TraceRules);

[[nodiscard]] TraceRules trace_rules(ServiceIndex service, const ServiceConfig& config);
// The part of a config that decisions depend on.
[[nodiscard]] ServiceConfig rules_of(const TraceRules& rules);

// Head, length and CRC of a record whose other fields are filled in.
void seal(TraceBegin& record);
void seal(TraceRules& record);
void seal(TraceDecision& record);

[[nodiscard]] uint32_t trace_crc(std::span<const std::byte> record);

}  // namespace cheshire
