// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How the planner writes an action down: onto the plan, and onto the snapshot, so that the next step sees it.
// Control thread only.
#pragma once

#include <algorithm>
#include <vector>

#include "controlplane/fleet/planner.h"

namespace cheshire {

class PlanWriter {
 public:
  using Row = ServiceSnapshot::Row;

  PlanWriter(ServiceSnapshot& snapshot, uint64_t now_ns, Plan& plan)
      : snapshot_(snapshot), now_ns_(now_ns), plan_(plan) {}

  [[nodiscard]] const ServiceSnapshot& snapshot() const { return snapshot_; }
  [[nodiscard]] std::vector<Row>& rows() { return snapshot_.rows; }
  [[nodiscard]] const ServiceConfig& rules() const { return *snapshot_.rules; }
  [[nodiscard]] uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] bool may_try_to_boot() const { return snapshot_.backoff.may_try(now_ns_); }
  [[nodiscard]] Row* first_in(InstanceState state) {
    const auto found = std::find_if(rows().begin(), rows().end(),
                                    [state](const Row& row) { return row.instance.state == state; });
    return found == rows().end() ? nullptr : &*found;
  }
  // An absent one of the service's own, or a row for one more; nullptr: none.
  [[nodiscard]] Row* free_slot() {
    if (Row* own = first_in(InstanceState::kAbsent)) return own;
    if (snapshot_.spare == nullptr) return nullptr;
    rows().push_back({.instance = *snapshot_.spare, .sight = {}});
    snapshot_.spare = nullptr;
    return &rows().back();
  }

  void begin(Row& row, LifeCause cause) {
    write(row, {.kind = ActionKind::kBegin, .slot = row.instance.id.slot, .cause = cause});
  }
  void begin_successor(Row& row) {
    write(row, {.kind = ActionKind::kBeginSuccessor,
                .slot = row.instance.id.slot,
                .cause = LifeCause::kBootOrdered});
  }
  void change(Row& row, LifeCause cause) {
    write(row, {.kind = ActionKind::kChange, .slot = row.instance.id.slot, .cause = cause});
  }
  void mark(Row& row, ActionKind kind) { write(row, {.kind = kind, .slot = row.instance.id.slot}); }
  void fail(Row& row, const char* why, bool silent = false) {
    if (dies_young(row.instance, now_ns_)) snapshot_.backoff.failed(now_ns_);
    write(row, {.kind = ActionKind::kFail,
                .slot = row.instance.id.slot,
                .cause = LifeCause::kFailed,
                .why = why,
                .silent = silent});
  }
  void prove(Row& row) {
    snapshot_.backoff.succeeded();
    mark(row, ActionKind::kProve);
  }

 private:
  void write(Row& row, const Action& action);

  ServiceSnapshot& snapshot_;
  const uint64_t now_ns_;
  Plan& plan_;
};

}  // namespace cheshire
