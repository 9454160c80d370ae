// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/offload/flow_offload.h"

#include <algorithm>
#include <set>

namespace cheshire {

FlowOffload::FlowOffload(FlowDevice& device, FlowOffloadOptions options, FlowMarkBoard& board,
                         std::function<uint64_t()> clock)
    : device_(device),
      options_(std::move(options)),
      board_(board),
      clock_(std::move(clock)),
      seen_before_(board.by_service.size()) {
  OffloadStatus::Rung& pins = rung(OffloadRung::kPin);
  if (options_.queues.size() < 2) pins = {OffloadState::kOff, "there is one receive queue only"};
  if (options_.pins_max == 0) pins = {OffloadState::kOff, "nic.pins_max is 0"};
}

void FlowOffload::tick(uint64_t now_ns) {
  device_ns_ = 0;
  forget_services_gone();
  const uint64_t wrong = board_.wrong();
  if (wrong != wrong_before_ && rung(OffloadRung::kMark).state != OffloadState::kOff) {
    step_down(OffloadRung::kMark, "packets carry marks that are not theirs");
  }
  wrong_before_ = wrong;
  step_mark(now_ns);
  step_drop(now_ns);
  step_pins(now_ns);
  if (now_ns - checked_ns_ >= kCheckNs) {
    check_services();
    check_pins(now_ns);
    checked_ns_ = now_ns;
  }
  for (size_t i = 0; i < seen_before_.size(); ++i) seen_before_[i] = board_.by_service[i].seen.get();
  seen_in_all_before_ = seen_in_all();
  count_rules();
  tell_workers();
}

// Also one whose index now belongs to another address.
void FlowOffload::forget_services_gone() {
  if (!std::exchange(services_changed_, false)) return;
  std::set<uint32_t> vips;
  for (const OffloadService& service : services_) vips.insert(service.vip.raw());
  const bool one_left = std::any_of(vip_rules_.begin(), vip_rules_.end(),
                                    [&](const auto& rule) { return !vips.contains(rule.first); });
  const bool one_came = drop_rule_ != 0 && vips.size() != vip_rules_.size();
  // Before anything else: a new VIP must not meet the drop rule.
  if (one_left || one_came) {
    remove_drop_rules();
    if (rung(OffloadRung::kDrop).state == OffloadState::kTrial) trial_.reset();
    if (rung(OffloadRung::kDrop).state != OffloadState::kOff) {
      change(OffloadRung::kDrop, OffloadState::kWaiting, "the addresses changed");
    }
  }
  std::erase_if(rules_, [this](ServiceRule& rule) {
    const bool stays = std::find(services_.begin(), services_.end(), rule.service) != services_.end();
    if (!stays) remove(rule.handle);
    return !stays;
  });
  if (rules_.empty() && rung(OffloadRung::kMark).state == OffloadState::kTrial) {
    trial_.reset();
    rung(OffloadRung::kMark).state = OffloadState::kWaiting;
  }
  remove_pins_if([this](const Pin& pin) { return !leads_home(pin.request); });
}

// --- mark

void FlowOffload::step_mark(uint64_t now_ns) {
  switch (rung(OffloadRung::kMark).state) {
    case OffloadState::kWaiting:
      return begin_mark_trial(now_ns);
    case OffloadState::kTrial:
      return judge_mark_trial(now_ns);
    case OffloadState::kOn:
      return add_service_rules();
    case OffloadState::kOff:
      return;
  }
}

// With a service that is busy now: its silence would tell something.
void FlowOffload::begin_mark_trial(uint64_t now_ns) {
  const auto busy = [this](const OffloadService& service) {
    const size_t i = service.index.value;
    return i < seen_before_.size() && board_.by_service[i].seen.get() - seen_before_[i] >= kTrialPackets;
  };
  // A NIC that cannot do it at all is told apart before there is any traffic.
  if (!services_.empty() && !std::exchange(asked_, true)) {
    if (auto valid = device_.validate(service_rule(services_.front())); !valid) {
      step_down(OffloadRung::kMark, valid.error().what, Fault::kRefuses);
      return ask_for_pins();
    }
  }
  const auto service = std::find_if(services_.begin(), services_.end(), busy);
  if (service == services_.end()) return;
  auto handle = create(service_rule(*service));
  if (!handle) {
    step_down(OffloadRung::kMark, handle.error().what, Fault::kRefuses);
    return ask_for_pins();
  }
  const FlowMarkLoad& load = board_.by_service[service->index.value];
  rules_.push_back({.service = *service, .handle = handle.value(), .seen = load.seen.get()});
  trial_ = Trial{now_ns, load.seen.get(), load.marked.get()};
  change(OffloadRung::kMark, OffloadState::kTrial, "");
}

void FlowOffload::judge_mark_trial(uint64_t now_ns) {
  ServiceRule& rule = rules_.front();
  const FlowMarkLoad& load = board_.by_service[rule.service.index.value];
  const uint64_t seen = load.seen.get() - trial_->seen;
  const uint64_t marked = load.marked.get() - trial_->marked;
  const auto packets = device_.packets(rule.handle);
  if (!packets) return step_down(OffloadRung::kMark, "its rules cannot be counted: " + packets.error().what);
  const bool counted = packets.value() >= kTrialPackets;
  if (counted && marked >= kTrialPackets) {
    trial_.reset();
    mark_silences_ = 0;
    rule.seen = load.seen.get();
    rule.packets = packets.value();
    return change(OffloadRung::kMark, OffloadState::kOn, "");
  }
  if (counted && seen == 0) {
    if (trial_->suspect) return step_down(OffloadRung::kMark, "it drops packets that its rules match");
    trial_->suspect = true;
    return;
  }
  if (seen >= kTrialPacketsAgainst && packets.value() == 0)
    return step_down(OffloadRung::kMark, "its rules match nothing", Fault::kRefuses);
  if (seen >= kTrialPacketsAgainst && counted && marked == 0)
    return step_down(OffloadRung::kMark, "it sets no marks", Fault::kRefuses);
  if (seen == 0 && now_ns - trial_->begin_ns >= kTrialSilenceNs) {
    remove(rule.handle);
    rules_.clear();
    went_silent(OffloadRung::kMark, mark_silences_);
  }
}

void FlowOffload::add_service_rules() {
  if (rules_.size() == services_.size() || full_) return;
  for (const OffloadService& service : services_) {
    if (device_ns_ >= kRuleTimePerTickNs) return;  // the rest at the next tick
    const auto has_rule = [&](const ServiceRule& rule) { return rule.service == service; };
    if (std::any_of(rules_.begin(), rules_.end(), has_rule)) continue;
    const bool room = rules_held() < options_.rules_max;
    auto handle = room ? create(service_rule(service))
                       : Result<FlowRuleHandle>(Error{ErrorCode::kLimit, "the limit of our own"});
    // A service's rule saves more than those of some flows: again at the next tick, unless that was of no use before.
    if (!handle && !pins_.empty() && !(room && pins_apart_)) {
      pins_gave_way_ = true;
      return remove_pins();
    }
    const bool gave_way = std::exchange(pins_gave_way_, false);
    if (!handle) {
      full_ = true;
      pins_apart_ = pins_apart_ || (room && gave_way);
      ++status_.rules_refused;
      rung(OffloadRung::kMark).reason =
          "full at " + std::to_string(rules_held()) + " rules: " + handle.error().what;
      news_.push_back("mark: " + rung(OffloadRung::kMark).reason + "; software finds the other services");
      return;
    }
    const uint64_t seen = service.index.value < board_.by_service.size()
                              ? board_.by_service[service.index.value].seen.get()
                              : 0;
    rules_.push_back({.service = service, .handle = handle.value(), .seen = seen});
  }
}

// --- drop

void FlowOffload::step_drop(uint64_t now_ns) {
  if (rung(OffloadRung::kMark).state != OffloadState::kOn) return;
  if (rung(OffloadRung::kDrop).state == OffloadState::kWaiting) begin_drop_trial(now_ns);
  if (rung(OffloadRung::kDrop).state == OffloadState::kTrial) judge_drop_trial(now_ns);
}

// The last rule is the one that drops: with any of the others missing it must not be.
void FlowOffload::begin_drop_trial(uint64_t now_ns) {
  if (seen_in_all() - seen_in_all_before_ < kTrialPackets) return;
  for (const OffloadService& service : services_) {
    if (vip_rules_.contains(service.vip.raw())) continue;
    if (device_ns_ >= kRuleTimePerTickNs) return;
    auto handle = create({.match = FlowRule::Match::kAddress,
                          .priority = kAddressPriority,
                          .vip = service.vip,
                          .queues = options_.queues});
    if (!handle) return step_down(OffloadRung::kDrop, handle.error().what);
    vip_rules_[service.vip.raw()] = handle.value();
  }
  auto handle = create(
      {.match = FlowRule::Match::kAllIpv4, .action = FlowRule::Action::kDrop, .priority = kDropPriority});
  if (!handle) return step_down(OffloadRung::kDrop, handle.error().what);
  drop_rule_ = handle.value();
  trial_ = Trial{now_ns, seen_in_all(), 0};
  change(OffloadRung::kDrop, OffloadState::kTrial, "");
}

void FlowOffload::judge_drop_trial(uint64_t now_ns) {
  const uint64_t seen = seen_in_all() - trial_->seen;
  const auto dropped = device_.packets(drop_rule_);
  if (!dropped) return step_down(OffloadRung::kDrop, "its rules cannot be counted: " + dropped.error().what);
  if (seen >= kTrialPackets && now_ns - trial_->begin_ns >= kTrialSilenceNs) {
    trial_.reset();
    drop_silences_ = 0;
    return change(OffloadRung::kDrop, OffloadState::kOn, "");
  }
  if (seen == 0 && now_ns - trial_->begin_ns >= kTrialSilenceNs) {
    remove_drop_rules();
    went_silent(OffloadRung::kDrop, drop_silences_);
  }
}

// --- later on

// A rule that counts while its service hears nothing takes packets away, however good it was before.
void FlowOffload::check_services() {
  if (rung(OffloadRung::kMark).state != OffloadState::kOn) return;
  for (ServiceRule& rule : rules_) {
    if (rule.service.index.value >= board_.by_service.size()) continue;
    const auto packets = device_.packets(rule.handle);
    if (!packets) {
      return step_down(OffloadRung::kMark, "its rules cannot be counted: " + packets.error().what);
    }
    const uint64_t seen = board_.by_service[rule.service.index.value].seen.get();
    const bool suspect = packets.value() - rule.packets >= kTrialPackets && seen == rule.seen;
    if (suspect && std::exchange(rule.suspect, true)) {
      return step_down(OffloadRung::kMark, "it drops packets that its rules match");
    }
    if (!suspect) rule.suspect = false;
    rule.packets = packets.value();
    rule.seen = seen;
  }
}

}  // namespace cheshire
