// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/trace/replay.h"

#include <algorithm>
#include <map>
#include <optional>

namespace cheshire {
namespace {

// What a service is like under other rules.
struct Shadow {
  ServiceConfig rules;
  std::optional<uint32_t> size;  // none until its first record
  uint64_t grew_ns = 0;
  uint64_t shrank_ns = 0;
};

ServiceView spread(const ServiceView& recorded, const Shadow& shadow) {
  ServiceView view = recorded;
  view.size = *shadow.size;
  view.booting = view.cold = 0;
  // Instances more than there were had no flow of their own.
  const uint32_t busy = recorded.size - std::min(recorded.quiet, recorded.size);
  view.quiet = view.size - std::min(busy, view.size);
  view.grew_ns = shadow.grew_ns;
  view.shrank_ns = shadow.shrank_ns;
  const int64_t size = std::max<int64_t>(view.size, 1);
  for (MetricView& metric : view.metrics) metric.value = metric.total / size;
  return view;
}

ReplayedDecision replay_one(const TraceDecision& record, Shadow& shadow) {
  if (!shadow.size)
    shadow.size = std::clamp(record.view.size, shadow.rules.instances_min, shadow.rules.instances_max);
  const uint32_t size = *shadow.size;
  const Decision now = decide(spread(record.view, shadow), shadow.rules, record.time_ns);
  if (now.wanted > size) shadow.grew_ns = record.time_ns;
  if (now.wanted < size) shadow.shrank_ns = record.time_ns;
  shadow.size = now.wanted;
  return {record, shadow.rules.name, size, now};
}

}  // namespace

Replay replay_same(const Trace& trace) {
  Replay replay;
  std::map<uint16_t, ServiceConfig> rules;
  for (const auto& any : trace.records) {
    if (const auto* fresh = std::get_if<TraceRules>(&any)) rules[fresh->service] = rules_of(*fresh);
    const auto* record = std::get_if<TraceDecision>(&any);
    if (record == nullptr) continue;
    const auto found = rules.find(record->service);
    if (found == rules.end()) {
      ++replay.without_rules;
      continue;
    }
    const Decision now = decide(record->view, found->second, record->time_ns);
    if (!(now == record->decision)) ++replay.different;
    replay.decisions.push_back({*record, found->second.name, record->view.size, now});
  }
  return replay;
}

Replay replay_other(const Trace& trace, const std::vector<ServiceConfig>& services) {
  Replay replay;
  std::map<uint16_t, Shadow> shadows;
  for (const auto& any : trace.records) {
    if (const auto* fresh = std::get_if<TraceRules>(&any); fresh != nullptr) {
      const std::string name = rules_of(*fresh).name;
      const auto other = std::find_if(services.begin(), services.end(),
                                      [&](const ServiceConfig& service) { return service.name == name; });
      if (other != services.end()) shadows[fresh->service].rules = *other;
    }
    const auto* record = std::get_if<TraceDecision>(&any);
    if (record == nullptr) continue;
    const auto found = shadows.find(record->service);
    if (found == shadows.end()) {
      ++replay.without_rules;
      continue;
    }
    replay.decisions.push_back(replay_one(*record, found->second));
    const ReplayedDecision& last = replay.decisions.back();
    if (last.size != record->view.size || !(last.now == record->decision)) ++replay.different;
  }
  return replay;
}

}  // namespace cheshire
