// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/trace/trace_record.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace cheshire {
namespace {

constexpr std::array<uint32_t, 256> make_crc_table() {
  constexpr uint32_t kReflected = 0xedb88320;
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? crc >> 1U ^ kReflected : crc >> 1U;
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

uint32_t crc_of(std::span<const std::byte> bytes, uint32_t crc) {
  for (const std::byte byte : bytes) crc = kCrcTable[(crc ^ static_cast<uint32_t>(byte)) & 255U] ^ crc >> 8U;
  return crc;
}

template <typename Record>
void seal_as(Record& record, TraceKind kind) {
  record.head = {.kind = kind, .length = sizeof(Record)};
  record.head.crc = trace_crc(std::as_bytes(std::span(&record, 1)));
}

template <size_t kSize>
void put(std::array<char, kSize>& into, const std::string& text) {
  std::copy_n(text.begin(), std::min(text.size(), kSize), into.begin());
}
template <size_t kSize>
std::string text_of(const std::array<char, kSize>& from) {
  return {from.begin(), std::find(from.begin(), from.end(), '\0')};
}

TracePolicy trace_policy(const PolicyConfig& config) {
  TracePolicy policy;
  put(policy.name, config.name);
  policy.kind = static_cast<uint8_t>(config.kind);
  policy.metric = static_cast<uint8_t>(config.metric);
  policy.adjustment = static_cast<uint8_t>(config.adjustment);
  policy.target = config.target;
  policy.steps_count = static_cast<uint8_t>(std::min(config.steps.size(), kStepsMax));
  for (size_t i = 0; i < policy.steps_count; ++i) {
    const StepRange& step = config.steps[i];
    policy.steps[i] = {.lower = step.lower.value_or(0),
                       .upper = step.upper.value_or(0),
                       .adjustment = step.adjustment,
                       .has_lower = step.lower.has_value(),
                       .has_upper = step.upper.has_value()};
  }
  return policy;
}

PolicyConfig policy_of(const TracePolicy& policy) {
  PolicyConfig config{.name = text_of(policy.name),
                      .kind = static_cast<PolicyKind>(policy.kind),
                      .metric = static_cast<Metric>(policy.metric),
                      .adjustment = static_cast<Adjustment>(policy.adjustment),
                      .target = policy.target};
  for (size_t i = 0; i < policy.steps_count; ++i) {
    const TraceStep& step = policy.steps[i];
    StepRange range{.adjustment = step.adjustment};
    if (step.has_lower != 0) range.lower = step.lower;
    if (step.has_upper != 0) range.upper = step.upper;
    config.steps.push_back(range);
  }
  return config;
}

}  // namespace

uint32_t trace_crc(std::span<const std::byte> record) {
  constexpr size_t kBehindCrc = offsetof(TraceHead, crc) + sizeof(TraceHead::crc);
  const uint32_t before = crc_of(record.first(offsetof(TraceHead, crc)), ~0U);
  return ~crc_of(record.subspan(kBehindCrc), before);
}

void seal(TraceBegin& record) {
  seal_as(record, TraceKind::kBegin);
}
void seal(TraceRules& record) {
  seal_as(record, TraceKind::kRules);
}
void seal(TraceDecision& record) {
  seal_as(record, TraceKind::kDecision);
}

TraceRules trace_rules(ServiceIndex service, const ServiceConfig& config) {
  TraceRules rules;
  rules.service = service.value;
  rules.min = config.instances_min;
  rules.max = config.instances_max;
  rules.in_flight_soft = config.in_flight_soft;
  rules.warmup_ns = config.warmup_ns;
  rules.cooldown_ns = config.cooldown_ns;
  rules.metrics_window_ns = config.metrics_window_ns;
  rules.metrics_smoothing_ns = config.metrics_smoothing_ns;
  put(rules.name, config.name);
  rules.policies_count = static_cast<uint16_t>(std::min(config.policies.size(), kPoliciesMax));
  for (size_t i = 0; i < rules.policies_count; ++i) rules.policies[i] = trace_policy(config.policies[i]);
  seal(rules);
  return rules;
}

ServiceConfig rules_of(const TraceRules& rules) {
  ServiceConfig config;
  config.name = text_of(rules.name);
  config.instances_min = rules.min;
  config.instances_max = rules.max;
  config.in_flight_soft = rules.in_flight_soft;
  config.warmup_ns = rules.warmup_ns;
  config.cooldown_ns = rules.cooldown_ns;
  config.metrics_window_ns = rules.metrics_window_ns;
  config.metrics_smoothing_ns = rules.metrics_smoothing_ns;
  config.policies.clear();
  for (size_t i = 0; i < rules.policies_count; ++i) config.policies.push_back(policy_of(rules.policies[i]));
  return config;
}

}  // namespace cheshire
