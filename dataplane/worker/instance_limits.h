// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How many flows each instance may have: `in_flight.hard` as the steering table has it, or found by itself from how the
// instance answers (admission_limit.h). Tells the chooser, which keeps to it, and the board.
//
// The worker's thread only; memory is taken at construction. No DPDK.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/flow/admission_limit.h"
#include "dataplane/flow/answer_watch.h"
#include "dataplane/flow/chooser.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/turn.h"
#include "load_board.h"

namespace cheshire {

class InstanceLimits {
 public:
  InstanceLimits(SlotArray& slots, Chooser& chooser)
      : slots_(slots), chooser_(chooser), watches_(slots.size()) {}

  // A new instance in the slot.
  void begin_instance(const Turn& turn, SlotIndex index);
  // A new table may say another limit, or another kind.
  void update(const Turn& turn, SlotIndex index);
  // Limits that are found by themselves take a step where enough was seen since the last one.
  void adapt(const Turn& turn, std::span<const SlotIndex> instances);

  // Its flows in flight are as many as slot.in_flight says now.
  void in_flight_changed(SlotIndex index, const Slot& slot) {
    if (slot.limit_is_auto) watches_[index.value].note_in_flight(slot.in_flight);
  }
  // Before slot.owing changes: a client asked, or was answered.
  void owing_changes(const Turn& turn, SlotIndex index, const Slot& slot, bool answered) {
    if (slot.limit_is_auto) watches_[index.value].note_owing(slot.owing, answered, turn.now_ns);
  }
  // What an instance of this service has when it comes; 0: no limit.
  [[nodiscard]] uint32_t of_fresh_instance(const SteeringService& service) const {
    return service.rules().hard_is_auto ? admission_limit(options_, AdmissionState{})
                                        : service.in_flight_hard;
  }

 private:
  void adapt_one(const Turn& turn, SlotIndex index, const Slot& slot);
  void set(SlotIndex index, uint32_t limit);

  SlotArray& slots_;
  Chooser& chooser_;
  std::vector<AnswerWatch> watches_;  // by slot; of services whose limit is found by itself
  const AdmissionOptions options_;
};

}  // namespace cheshire
