// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which decisions are kept: every one that changes a size, every one whose answer is another than the last
// one's, and, so that a replay under other rules has a load to work with, one per second while anything is
// there. They are written once the orders of the round are out: nobody waits for a trace. Control thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "config.h"
#include "controlplane/fleet/planner.h"
#include "controlplane/fleet/running_config.h"
#include "controlplane/policy/policy.h"
#include "controlplane/service_record.h"
#include "controlplane/trace/decision_trace.h"

namespace cheshire {

class TraceRecorder {
 public:
  // `trace`: none: decisions are not kept.
  TraceRecorder(DecisionTrace* trace, size_t services) : trace_(trace), services_(services) {}

  // `actions`: what the decision wanted done. One that does something is shown in the service's status, too.
  void note(ServiceIndex index, const ServiceView& view, const Decision& decision,
            std::span<const Action> actions, uint64_t now_ns, ServiceRecord& record);
  // What was noted since the last call.
  void write(const RunningConfig& config);

  void resize(size_t services) { services_.resize(services); }
  void forget(ServiceIndex index) { services_[index.value] = OfService{}; }

 private:
  // What was last traced of a service: the same again is not.
  struct OfService {
    Decision decision;
    uint64_t time_ns = 0;                 // 0: nothing yet
    std::shared_ptr<const Config> rules;  // the config whose rules are in the trace
  };

  DecisionTrace* const trace_;
  std::vector<OfService> services_;
  std::vector<TraceDecision> noted_;
};

}  // namespace cheshire
