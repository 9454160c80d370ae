// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a worker tells of its load. Counters are on the board already, written where they happen; here are the records
// about them (load_record.h), one for each slot that was touched since the last publication and one at once for an
// edge, and what is observed of an instance over time: how long it owes an answer, how long its handshakes take, how
// long packets lie in its ring.
//
// The lowest of the worker's parts: it knows none of the others. The worker's thread only. No DPDK.
#pragma once

#include <vector>

#include "dataplane/flow/hold_queue.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/turn.h"
#include "doorbell.h"
#include "load_board.h"
#include "load_record.h"
#include "spsc_ring.h"

namespace cheshire {

class LoadReport {
 public:
  // `hold` tells how many SYNs wait; `doorbell`: of the control thread, where it naps, rung for edges.
  LoadReport(const WorkerBoard& board, SpscRing<LoadRecord>& ring, Doorbell* doorbell, const HoldQueue& hold,
             SlotArray& slots);

  // A new instance: nothing of the one before is told of it.
  void begin_instance(const Turn& turn, SlotIndex index);

  // The slot is told of at the next publication. In line, for each packet.
  void touch(SlotIndex index, Slot& slot) {
    if (slot.touched) return;
    slot.touched = true;
    touched_.push_back(index);  // within what was reserved at start
  }
  // Its flows in flight are as many as slot.in_flight says now.
  void in_flight_changed(SlotIndex index, Slot& slot) {
    if (slot.in_flight > slot.in_flight_peak) slot.in_flight_peak = slot.in_flight;
    touch(index, slot);
  }
  // An edge, told at once.
  void tell(const Turn& turn, LoadEdge edge, ServiceIndex service, SlotIndex index);

  // The instance got something that it has to answer, if only with an ACK; a packet came from it.
  void note_asked(const Turn& turn, Slot& slot) {
    if (slot.asked_ns != 0) return;
    slot.asked_ns = turn.now_ns;
    slot.load->silent_since_ns.set(turn.now_ns);
  }
  void note_heard(const Turn& turn, Slot& slot) {
    slot.heard_ns = turn.now_ns;
    if (slot.asked_ns == 0) return;
    slot.asked_ns = 0;
    slot.load->silent_since_ns.set(0);
  }
  // A SYN was given to the instance; its SYN-ACK came. One at a time is timed: a sample is enough, and the flow's
  // entry has no room for its time.
  void note_handshake_began(const Turn& turn, SlotIndex index, const FlowKey& flow);
  void note_handshake_ended(const Turn& turn, SlotIndex index, const FlowKey& flow);

  [[nodiscard]] bool is_due(const Turn& turn, uint64_t interval_ns) const {
    return turn.now_ns - published_ns_ >= interval_ns;
  }
  // One record for each slot that was touched, or whose ring still has packets.
  void publish(const Turn& turn);

 private:
  [[nodiscard]] LoadEdge observe_backlog(Slot& slot);

  const WorkerBoard board_;
  SpscRing<LoadRecord>& ring_;
  Doorbell* const doorbell_;
  const HoldQueue& hold_;
  SlotArray& slots_;
  std::vector<SlotIndex> touched_;  // since the last publication, or with packets still in their rings
  uint64_t published_ns_ = 0;
};

}  // namespace cheshire
