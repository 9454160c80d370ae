// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// FlowOffload: rules one by one, and the way down.
#include <algorithm>

#include "dataplane/offload/flow_offload.h"

namespace cheshire {

// To the queue of its owner, so that nothing has to be handed over; where the owner has none, to all.
FlowRule FlowOffload::service_rule(const OffloadService& service) const {
  const bool has_queue = service.worker < options_.queues.size();
  return {.match = FlowRule::Match::kService,
          .priority = kServicePriority,
          .vip = service.vip,
          .port = service.port,
          .mark = mark_of(service.index),
          .queues = has_queue ? std::vector<uint16_t>{options_.queues[service.worker]} : options_.queues};
}

Result<FlowRuleHandle> FlowOffload::create(const FlowRule& rule) {
  if (Result<void> valid = device_.validate(rule); !valid) return valid.error();
  const uint64_t begin_ns = clock_();
  auto handle = device_.create(rule);
  const uint64_t took_ns = clock_() - begin_ns;
  device_ns_ += took_ns;
  status_.slowest_rule_ns = std::max(status_.slowest_rule_ns, took_ns);
  if (handle) ++status_.rules_created;
  return handle;
}

// A rule that the NIC will not let go is its own affair; there is nothing left to try.
void FlowOffload::remove(FlowRuleHandle& handle, bool is_pin) {
  if (handle == 0) return;
  const uint64_t begin_ns = clock_();
  const Result<void> destroyed = device_.destroy(std::exchange(handle, 0));
  device_ns_ += clock_() - begin_ns;
  ++status_.rules_removed;
  const auto has_room = [this](OffloadRung which) {
    if (rung(which).state == OffloadState::kOn) rung(which).reason.clear();
  };
  if (!(is_pin && pins_apart_) && std::exchange(full_, false)) has_room(OffloadRung::kMark);
  if (std::exchange(pins_full_, false)) has_room(OffloadRung::kPin);
  if (!destroyed) news_.push_back("a rule could not be removed: " + destroyed.error().what);
}

// What drops goes first, so that nothing is lost on the way.
void FlowOffload::remove_drop_rules() {
  remove(drop_rule_);
  for (auto& [vip, handle] : vip_rules_) remove(handle);
  vip_rules_.clear();
}

void FlowOffload::remove_all() {
  remove_drop_rules();
  remove_pins();
  for (ServiceRule& rule : rules_) remove(rule.handle);
  rules_.clear();
  trial_.reset();
  for (OffloadStatus::Rung& each : status_.rungs) each.state = OffloadState::kOff;
  tell_workers();
}

// This rung and what stands on it.
void FlowOffload::step_down(OffloadRung which, const std::string& reason, Fault fault) {
  if (which != OffloadRung::kPin) {
    trial_.reset();
    remove_drop_rules();
  }
  if (which != OffloadRung::kDrop) remove_pins();
  if (which == OffloadRung::kMark) {
    for (ServiceRule& rule : rules_) remove(rule.handle);
    rules_.clear();
  }
  change(which, OffloadState::kOff, reason);
  // A NIC that cannot drop what is for nobody may still pin flows; so may one that cannot match services.
  if (which != OffloadRung::kMark) return;
  for (const OffloadRung above : {OffloadRung::kDrop, OffloadRung::kPin}) {
    const bool stays = above == OffloadRung::kPin && fault == Fault::kRefuses;
    if (!stays && rung(above).state != OffloadState::kOff) change(above, OffloadState::kOff, "without marks");
  }
}

void FlowOffload::change(OffloadRung which, OffloadState state, const std::string& why) {
  OffloadStatus::Rung& here = rung(which);
  here.state = state;
  here.reason = why;
  std::string line(kOffloadRungNames[static_cast<size_t>(which)]);
  line.append(": ").append(kOffloadStateNames[static_cast<size_t>(state)]);
  if (!why.empty()) line += ", " + why;
  news_.push_back(std::move(line));
}

void FlowOffload::went_silent(OffloadRung which, uint32_t& silences, uint32_t silences_max) {
  if (which != OffloadRung::kPin) trial_.reset();
  if (++silences >= silences_max) return step_down(which, "packets stay away while its rules are in");
  change(which, OffloadState::kWaiting, "no packet came during the trial");
}

void FlowOffload::count_rules() {
  rung(OffloadRung::kMark).rules = rules_.size();
  rung(OffloadRung::kDrop).rules = vip_rules_.size() + (drop_rule_ != 0 ? 1 : 0);
  rung(OffloadRung::kPin).rules = pins_.size();
}

size_t FlowOffload::rules_held() const {
  return rules_.size() + vip_rules_.size() + (drop_rule_ != 0 ? 1 : 0) + pins_.size();
}

uint64_t FlowOffload::seen_in_all() const {
  uint64_t sum = 0;
  for (const FlowMarkLoad& load : board_.by_service) sum += load.seen.get();
  return sum;
}

}  // namespace cheshire
