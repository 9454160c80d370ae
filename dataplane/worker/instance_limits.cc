// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/instance_limits.h"

namespace cheshire {

void InstanceLimits::begin_instance(const Turn& turn, SlotIndex index) {
  Slot& slot = slots_[index.value];
  const SteeringService& service = turn.service(slot.service);
  slot.limit_is_auto = service.rules().hard_is_auto;
  slot.load->flows_limit.set(service.in_flight_hard);
  if (!slot.limit_is_auto) return;
  AnswerWatch& watch = watches_[index.value];
  watch.state = AdmissionState{};
  watch.begin(turn.now_ns);
  set(index, admission_limit(options_, watch.state));
}

void InstanceLimits::update(const Turn& turn, SlotIndex index) {
  const Slot& slot = slots_[index.value];
  const SteeringService& service = turn.service(slot.service);
  if (slot.limit_is_auto != service.rules().hard_is_auto) return begin_instance(turn, index);
  if (!slot.limit_is_auto) slot.load->flows_limit.set(service.in_flight_hard);
}

void InstanceLimits::adapt(const Turn& turn, std::span<const SlotIndex> instances) {
  for (const SlotIndex index : instances) {
    const Slot& slot = slots_[index.value];
    if (slot.limit_is_auto) adapt_one(turn, index, slot);
  }
}

void InstanceLimits::adapt_one(const Turn& turn, SlotIndex index, const Slot& slot) {
  AnswerWatch& watch = watches_[index.value];
  const AdmissionInterval interval = watch.interval(slot.owing, slot.load->queue_delay_ns.get(), turn.now_ns);
  if (!interval_is_whole(options_, interval)) return;
  watch.step(next_admission(options_, watch.state, interval), turn.now_ns);
  watch.note_in_flight(slot.in_flight);
  set(index, admission_limit(options_, watch.state));
}

void InstanceLimits::set(SlotIndex index, uint32_t limit) {
  chooser_.set_limit(index, limit);
  slots_[index.value].load->flows_limit.set(limit);
}

}  // namespace cheshire
