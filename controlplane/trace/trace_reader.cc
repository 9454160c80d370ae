// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/trace/trace_reader.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "ids.h"

namespace cheshire {
namespace {

// Beyond these, sums and products of a decision would overflow; no machine gets near them.
constexpr int64_t kValueMax = int64_t{1} << 53U;
constexpr uint32_t kCountMax = 1U << 24U;

bool is_value(int64_t value) {
  return value >= -kValueMax && value <= kValueMax;
}

bool is_sound(const TraceBegin&) {
  return true;
}

bool is_sound(const TracePolicy& policy) {
  if (policy.kind >= kPolicyKinds || policy.metric >= kMetrics) return false;
  if (policy.adjustment >= kAdjustmentNames.size() || policy.steps_count > kStepsMax) return false;
  return is_value(policy.target) && policy.target >= 0;
}

bool is_sound(const TraceRules& rules) {
  return rules.service < kServicesMax && rules.policies_count <= kPoliciesMax && rules.min <= rules.max &&
         rules.max <= kCountMax && rules.in_flight_soft != 0 &&
         std::all_of(rules.policies.begin(), rules.policies.begin() + rules.policies_count,
                     [](const TracePolicy& policy) { return is_sound(policy); });
}

bool is_sound(const TraceDecision& record) {
  const ServiceView& view = record.view;
  const auto counts = {view.size, view.booting, view.cold, view.quiet, record.decision.wanted};
  return record.service < kServicesMax && static_cast<size_t>(record.decision.by) < kReasons &&
         record.decision.brake <= Brake::kLastInstance &&
         std::all_of(counts.begin(), counts.end(), [](uint32_t count) { return count <= kCountMax; }) &&
         std::all_of(view.metrics.begin(), view.metrics.end(), [](const MetricView& metric) {
           return is_value(metric.value) && is_value(metric.total);
         });
}

// Why the bytes are no record; empty: they are, and were added.
template <typename Record>
std::string take(std::span<const std::byte> bytes, const TraceHead& head, Trace& trace) {
  if (head.length != sizeof(Record)) return "a record of a wrong length";
  if (bytes.size() < sizeof(Record)) return "cut off";
  if (trace_crc(bytes.first(sizeof(Record))) != head.crc) return "a wrong checksum";
  Record record;
  std::memcpy(&record, bytes.data(), sizeof(record));
  if (!is_sound(record)) return "values that cannot be";
  trace.records.emplace_back(record);
  return {};
}

std::string take_record(std::span<const std::byte> bytes, size_t& length, Trace& trace) {
  TraceHead head;
  if (bytes.size() < sizeof(head)) return "cut off";
  std::memcpy(&head, bytes.data(), sizeof(head));
  if (head.magic != kTraceMagic) return "no record";
  if (head.version != kTraceVersion) return "version " + std::to_string(head.version) + ", not ours";
  length = head.length;
  switch (head.kind) {
    case TraceKind::kBegin:
      return take<TraceBegin>(bytes, head, trace);
    case TraceKind::kRules:
      return take<TraceRules>(bytes, head, trace);
    case TraceKind::kDecision:
      return take<TraceDecision>(bytes, head, trace);
  }
  return "a record of an unknown kind";
}

// From `at` on, where the next magic stands; the end if there is none.
size_t next_magic(std::span<const std::byte> bytes, size_t at) {
  const auto magic = std::as_bytes(std::span(&kTraceMagic, 1));
  const auto rest = bytes.subspan(at);
  const auto found = std::search(rest.begin(), rest.end(), magic.begin(), magic.end());
  return at + static_cast<size_t>(found - rest.begin());
}

}  // namespace

Trace read_trace(std::span<const std::byte> bytes) {
  Trace trace;
  for (size_t at = 0; at < bytes.size();) {
    size_t length = 0;
    std::string what = take_record(bytes.subspan(at), length, trace);
    if (what.empty()) {
      at += length;
      continue;
    }
    const size_t next = next_magic(bytes, at + 1);
    const bool goes_on =
        !trace.damages.empty() && trace.damages.back().offset + trace.damages.back().bytes == at;
    if (goes_on) {
      trace.damages.back().bytes += next - at;
    } else {
      trace.damages.push_back({at, next - at, std::move(what)});
    }
    at = next;
  }
  return trace;
}

Result<Trace> read_trace_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return Error{ErrorCode::kNotFound, "cannot open " + path};
  const std::streamoff size = file.tellg();
  if (size < 0 || static_cast<size_t>(size) > kTraceFileMax) {
    return Error{ErrorCode::kLimit, path + " is no file, or larger than 1 GiB"};
  }
  std::vector<char> bytes(static_cast<size_t>(size));
  file.seekg(0);
  file.read(bytes.data(), size);
  if (!file && size != 0) return Error{ErrorCode::kUnavailable, "cannot read " + path};
  return read_trace(std::as_bytes(std::span(bytes)));
}

}  // namespace cheshire
