// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// FlowOffload: rules for single flows that workers ask for.
#include <algorithm>

#include "dataplane/offload/flow_offload.h"
#include "dataplane/packet/flow_key.h"

namespace cheshire {

// Where marks are off and pins are not, the NIC refused rules for services (step_down()).
bool FlowOffload::takes_pins() const {
  const OffloadState mark = rung(OffloadRung::kMark).state;
  return rung(OffloadRung::kPin).state != OffloadState::kOff &&
         (mark == OffloadState::kOn || mark == OffloadState::kOff);
}

// Whether its service exists, and still has its owner there.
bool FlowOffload::leads_home(const PinRequest& request) const {
  return std::any_of(services_.begin(), services_.end(), [&](const OffloadService& service) {
    return service.vip == request.vip && service.port == request.port && service.index == request.service &&
           service.worker == request.queue && service.worker < options_.queues.size();
  });
}

FlowRule FlowOffload::pin_rule(const PinRequest& request) const {
  const bool marks = rung(OffloadRung::kMark).state == OffloadState::kOn;
  return {.match = FlowRule::Match::kFlow,
          .priority = kPinPriority,
          .vip = request.vip,
          .port = request.port,
          .client = request.client,
          .client_port = request.client_port,
          .mark = marks ? mark_of(request.service) : kNoMark,
          .queues = {options_.queues[request.queue]}};
}

// Marks were refused. A NIC that refuses any rule is told apart before a worker looks for long flows.
void FlowOffload::ask_for_pins() {
  if (!takes_pins() || services_.empty()) return;
  const OffloadService& service = services_.front();
  const PinRequest nobody{
      .client = service.vip, .client_port = be16(1), .vip = service.vip, .port = service.port};
  if (auto valid = device_.validate(pin_rule(nobody)); !valid) {
    step_down(OffloadRung::kPin, valid.error().what);
  }
}

void FlowOffload::pin(const PinRequest& request) {
  if (pin_requests_.size() < options_.pins_max) return pin_requests_.push_back(request);
  ++status_.pins_refused;
}

void FlowOffload::step_pins(uint64_t now_ns) {
  if (rung(OffloadRung::kPin).state == OffloadState::kTrial) judge_pin_trial(now_ns);
  if (!takes_pins()) pin_requests_.clear();
  while (!pin_requests_.empty() && rung(OffloadRung::kPin).state != OffloadState::kTrial &&
         device_ns_ < kRuleTimePerTickNs) {
    const PinRequest request = pin_requests_.back();
    pin_requests_.pop_back();
    add_pin(request, now_ns);
  }
}

// The first one alone, until it is known to be good.
void FlowOffload::add_pin(const PinRequest& request, uint64_t now_ns) {
  const PinKey key = {request.client.raw(), request.client_port.raw(), request.vip.raw(), request.port.raw()};
  if (pins_.contains(key) || !leads_home(request)) return;
  if (pins_.size() >= options_.pins_max || rules_held() >= options_.rules_max || pins_full_) {
    ++status_.pins_refused;
    return;
  }
  const uint64_t before_ns = device_ns_;
  auto handle = create(pin_rule(request));
  if (!handle) {
    ++status_.pins_refused;
    if (rung(OffloadRung::kPin).state != OffloadState::kOn) {
      return step_down(OffloadRung::kPin, handle.error().what);
    }
    pins_full_ = true;
    rung(OffloadRung::kPin).reason =
        "full at " + std::to_string(rules_held()) + " rules: " + handle.error().what;
    return;
  }
  pins_[key] = {.request = request, .handle = handle.value(), .moved_ns = now_ns};
  if (device_ns_ - before_ns > kPinRuleMaxNs) {
    return step_down(OffloadRung::kPin, "a rule takes " +
                                            std::to_string((device_ns_ - before_ns) / kNsPerUs) +
                                            " us, longer than it is worth");
  }
  if (rung(OffloadRung::kPin).state == OffloadState::kOn) return;
  watch(key, now_ns);
  change(OffloadRung::kPin, OffloadState::kTrial, "");
}

// What happened to its flow since it is watched.
Result<FlowOffload::PinCounts> FlowOffload::count_pin(const Pin& pin) {
  const auto packets = device_.packets(pin.handle);
  if (!packets) return packets.error();
  const WorkerMarks& owner = board_.by_worker[pin.request.queue];
  const PinCounts now{packets.value(), owner.watched_here.get(), owner.watched_over.get()};
  if (!watch_->before) watch_->before = now;
  const PinCounts& before = *watch_->before;
  return PinCounts{now.by_rule - before.by_rule, now.here - before.here, now.over - before.over};
}

void FlowOffload::judge_pin_trial(uint64_t now_ns) {
  const auto pin = pins_.find(watch_->flow);
  if (pin == pins_.end()) {
    return change(OffloadRung::kPin, OffloadState::kWaiting, "the rule of the trial had to go");
  }
  const auto seen = count_pin(pin->second);
  if (!seen) {
    return step_down(OffloadRung::kPin, "its rules cannot be counted: " + seen.error().what);
  }
  const auto& [by_rule, here, over] = seen.value();
  if (by_rule >= kTrialPackets && here >= kTrialPackets) {
    pin_silences_ = 0;
    return change(OffloadRung::kPin, OffloadState::kOn, "");
  }
  if (by_rule >= kTrialPackets && here + over == 0) {
    if (std::exchange(watch_->suspect, true)) {
      return step_down(OffloadRung::kPin, "it drops packets that its rules match");
    }
    return;
  }
  if (over >= kTrialPacketsAgainst && here == 0) {
    return step_down(OffloadRung::kPin,
                     by_rule == 0 ? "its rules match nothing" : "its rules lead to another queue");
  }
  if (now_ns - watch_->begin_ns < kPinSilenceNs) return;
  remove(pin->second.handle, true);
  pins_.erase(pin);
  went_silent(OffloadRung::kPin, pin_silences_, kPinSilencesMax);
}

// Later on: one after the other, for as long as it takes to tell.
void FlowOffload::check_pins(uint64_t now_ns) {
  drop_idle_pins(now_ns);
  if (rung(OffloadRung::kPin).state != OffloadState::kOn) return;
  auto pin = watch_ ? pins_.find(watch_->flow) : pins_.end();
  if (pin != pins_.end()) {
    const bool begins = !watch_->before;
    const auto seen = count_pin(pin->second);
    if (!seen) {
      return step_down(OffloadRung::kPin, "its rules cannot be counted: " + seen.error().what);
    }
    if (begins) return;
    if (seen.value().by_rule >= kTrialPackets && seen.value().here + seen.value().over == 0) {
      if (std::exchange(watch_->suspect, true)) {
        step_down(OffloadRung::kPin, "it drops packets that its rules match");
      }
      return;
    }
    ++pin;
  }
  if (pin == pins_.end()) pin = pins_.begin();
  if (pin != pins_.end()) watch(pin->first, now_ns);
}

// Verified by its counter like any other rule, only later: one that stands still is of no use, or of no flow.
void FlowOffload::drop_idle_pins(uint64_t now_ns) {
  remove_pins_if([&](Pin& pin) {
    const auto packets = device_.packets(pin.handle);
    if (packets && packets.value() != pin.packets) {
      pin.packets = packets.value();
      pin.moved_ns = now_ns;
    }
    return now_ns - pin.moved_ns >= kPinIdleNs;
  });
}

void FlowOffload::tell_workers() {
  const auto pin = watch_ ? pins_.find(watch_->flow) : pins_.end();
  if (pin == pins_.end() && rung(OffloadRung::kPin).state != OffloadState::kTrial) watch_.reset();
  board_.orders.taken.set(takes_pins() ? 1 : 0);
  if (pin == pins_.end()) return board_.orders.watched.set(0);
  const PinRequest& request = pin->second.request;
  board_.orders.watched.set(FlowKey{request.client, request.client_port, request.service}.as_integer());
}

void FlowOffload::remove_pins() {
  for (auto& [key, pin] : pins_) remove(pin.handle, true);
  pins_.clear();
  pin_requests_.clear();
}

void FlowOffload::remove_pins_if(const std::function<bool(Pin&)>& leaves) {
  for (auto entry = pins_.begin(); entry != pins_.end();) {
    if (leaves(entry->second)) {
      remove(entry->second.handle, true);
      entry = pins_.erase(entry);
    } else {
      ++entry;
    }
  }
}

}  // namespace cheshire
