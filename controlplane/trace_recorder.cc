// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/trace_recorder.h"

#include <algorithm>

namespace cheshire {
namespace {

constexpr uint64_t kSamplePeriodNs = kNsPerSecond;

}  // namespace

void TraceRecorder::note(ServiceIndex index, const ServiceView& view, const Decision& decision,
                         std::span<const Action> actions, uint64_t now_ns, ServiceRecord& record) {
  OfService& last = services_[index.value];
  const bool is_new = !(decision == last.decision);
  const bool alive = view.size != 0 || view.waiting_syns != 0;
  const bool sampled = alive && now_ns - last.time_ns >= kSamplePeriodNs;
  if (actions.empty() && !is_new && !sampled) return;
  last.decision = decision;
  last.time_ns = now_ns;

  TraceDecision noted;
  noted.time_ns = now_ns;
  noted.service = index.value;
  noted.decision = decision;
  noted.view = view;
  noted.slots_count = static_cast<uint16_t>(actions.size());
  const size_t named = std::min(actions.size(), noted.slots.size());
  for (size_t i = 0; i < named; ++i) noted.slots[i] = actions[i].slot.value;
  if (!actions.empty()) record.status.last_decision = noted;
  if (trace_ != nullptr) noted_.push_back(noted);
}

void TraceRecorder::write(const RunningConfig& config) {
  for (TraceDecision& noted : noted_) {
    OfService& service = services_[noted.service];
    if (service.rules != config.now) {  // begun, or read anew
      trace_->append(trace_rules(ServiceIndex{noted.service}, config.now->services[noted.service]));
      service.rules = config.now;
    }
    seal(noted);
    trace_->append(noted);
  }
  noted_.clear();
}

}  // namespace cheshire
