// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/plan_writer.h"

#include "check.h"

namespace cheshire {

bool dies_young(const Instance& instance, uint64_t now_ns) {
  return instance.ready_ns == 0 || now_ns - instance.ready_ns < BootBackoff::kProvenAfterNs;
}

void play(Instance& instance, const Action& action, const BeginFacts& facts, uint64_t now_ns) {
  switch (action.kind) {
    case ActionKind::kBeginSuccessor:
    case ActionKind::kBegin:
      begin_generation(instance, action.cause, facts, now_ns);
      instance.replaces = action.kind == ActionKind::kBeginSuccessor;
      return;
    case ActionKind::kChange:
    case ActionKind::kFail:
      return change_state(instance, action.cause, now_ns);
    case ActionKind::kOrderPause:
      instance.pause_ordered_ns = now_ns;
      instance.ordered_ns = now_ns;
      return;
    case ActionKind::kProve:
      instance.proven = true;
      return;
    case ActionKind::kRetire:
      instance.retiring = true;
      return;
    case ActionKind::kSucceed:
      instance.replaces = false;
      return;
    case ActionKind::kServeAsLast:
      instance.last_resort = true;
      return;
    case ActionKind::kStopServing:
      instance.last_resort = false;
      return;
  }
}

void PlanWriter::write(Row& row, const Action& action) {
  CHECK(plan_.actions.size() < kActionsPerInstance * snapshot_.rows.size());
  plan_.actions.push_back(action);
  play(row.instance, action, {.driver = row.instance.driver, .revision = snapshot_.revision}, now_ns_);
}

}  // namespace cheshire
