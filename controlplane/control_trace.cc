// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which decisions are kept: every one that changes a size, every one whose answer is another than the last
// one's, and, so that a replay under other rules has a load to work with, one per second while anything is
// there.
#include <algorithm>

#include "controlplane/control_loop.h"

namespace cheshire {
namespace {

constexpr uint64_t kSamplePeriodNs = kNsPerSecond;

}  // namespace

void ControlLoop::trace(ServiceIndex index, const ServiceView& view, const Decision& decision,
                        uint64_t now_ns) {
  Service& service = services_[index.value];
  const bool acts = !chosen_.empty();
  const bool is_new = !(decision == service.traced.decision);
  const bool alive = view.size != 0 || view.waiting_syns != 0;
  const bool sampled = alive && now_ns - service.traced.time_ns >= kSamplePeriodNs;
  if (!acts && !is_new && !sampled) return;
  service.traced = {decision, now_ns};

  TraceDecision record;
  record.time_ns = now_ns;
  record.service = index.value;
  record.decision = decision;
  record.view = view;
  record.slots_count = static_cast<uint16_t>(chosen_.size());
  const size_t named = std::min(chosen_.size(), record.slots.size());
  for (size_t i = 0; i < named; ++i) record.slots[i] = chosen_[i].value;
  if (acts) service.status.last_decision = record;
  if (links_.trace != nullptr) decided_.push_back(record);
}

// Once the orders are out: nobody waits for a trace.
void ControlLoop::write_trace() {
  for (TraceDecision& record : decided_) {
    Service& service = services_[record.service];
    if (service.rules_traced != config_) {  // begun, or read anew
      links_.trace->append(trace_rules(ServiceIndex{record.service}, config_->services[record.service]));
      service.rules_traced = config_;
    }
    seal(record);
    links_.trace->append(record);
  }
  decided_.clear();
}

}  // namespace cheshire
