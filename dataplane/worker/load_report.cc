// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/load_report.h"

#include <algorithm>

namespace cheshire {
namespace {

// A handshake that takes longer is not timed any more: its SYN or its SYN-ACK was lost.
constexpr uint64_t kTimedMaxNs = kNsPerSecond;

}  // namespace

LoadReport::LoadReport(const WorkerBoard& board, SpscRing<LoadRecord>& ring, Doorbell* doorbell,
                       const HoldQueue& hold, SlotArray& slots)
    : board_(board), ring_(ring), doorbell_(doorbell), hold_(hold), slots_(slots) {
  touched_.reserve(slots.size());
}

void LoadReport::begin_instance(const Turn& turn, SlotIndex index) {
  Slot& slot = slots_[index.value];
  slot.in_flight_peak = 0;
  slot.asked_ns = 0;
  slot.heard_ns = turn.now_ns;
  slot.timed_since_ns = 0;
  slot.stall_told = false;
  slot.load->queue_delay_ns.set(0);
  slot.load->wake_since_ns.set(0);
  slot.load->silent_since_ns.set(0);
}

// With many instances each record waits for lines of its slot and its row, unless they are fetched ahead.
void LoadReport::publish(const Turn& turn) {
  published_ns_ = turn.now_ns;
  size_t kept = 0;
  for (size_t i = 0; i < touched_.size(); ++i) {
    constexpr size_t kAhead = 4;
    if (i + kAhead < touched_.size()) {
      const SlotIndex next = touched_[i + kAhead];
      __builtin_prefetch(&slots_[next.value]);
      __builtin_prefetch(&slots_[next.value].consumed);
      __builtin_prefetch(&board_.slot(next).queue_delay_ns, 1);
      __builtin_prefetch(&board_.slot(next).flows_opened);
    }
    const SlotIndex index = touched_[i];
    Slot& slot = slots_[index.value];
    slot.touched = false;
    if (!slot.alive()) continue;
    tell(turn, observe_backlog(slot), slot.service, index);
    if (slot.touched) touched_[kept++] = index;
  }
  touched_.resize(kept);
}

LoadEdge LoadReport::observe_backlog(Slot& slot) {
  const Backlog backlog = slot.port->backlog();
  slot.load->queue_delay_ns.set(backlog.age_ns);
  slot.touched = backlog.packets != 0;  // looked at again, even if nothing comes
  const bool stands = backlog.packets != 0 && backlog.consumed == slot.consumed;
  slot.consumed = backlog.consumed;
  const bool tells = stands && !slot.stall_told;
  slot.stall_told = stands;
  return tells ? LoadEdge::kStalled : LoadEdge::kPeriodic;
}

void LoadReport::tell(const Turn& turn, LoadEdge edge, ServiceIndex service, SlotIndex index) {
  Slot& slot = slots_[index.value];
  const SlotLoad& load = *slot.load;
  const bool told = ring_.fill_next([&](LoadRecord& record) {
    record.version = kLoadRecordVersion;
    record.edge = edge;
    record.reserved = 0;
    record.service = service;
    record.slot = index;
    record.generation = slot.generation;
    record.in_flight = slot.in_flight;
    record.in_flight_peak = std::max(slot.in_flight_peak, slot.in_flight);
    record.waiting_syns = hold_.waiting(service);
    record.time_ns = turn.now_ns;
    record.flows_opened = load.flows_opened.get();
    record.packets_to_guest = load.packets_to_guest.get();
    record.packets_from_guest = load.packets_from_guest.get();
    record.queue_delay_ns = load.queue_delay_ns.get();
  });
  slot.in_flight_peak = slot.in_flight;
  if (!told) board_.worker.load_records_lost.increment();
  if (doorbell_ != nullptr && edge != LoadEdge::kPeriodic) doorbell_->ring();
}

void LoadReport::note_handshake_began(const Turn& turn, SlotIndex index, const FlowKey& flow) {
  Slot& slot = slots_[index.value];
  if (slot.timed_since_ns != 0 && turn.now_ns - slot.timed_since_ns < kTimedMaxNs) return;
  slot.timed = flow;
  slot.timed_since_ns = turn.now_ns;
}

void LoadReport::note_handshake_ended(const Turn& turn, SlotIndex index, const FlowKey& flow) {
  Slot& slot = slots_[index.value];
  if (slot.timed_since_ns == 0 || !(slot.timed == flow)) return;
  slot.load->handshakes.increment();
  slot.load->handshake_ns.add(turn.now_ns - slot.timed_since_ns);
  slot.timed_since_ns = 0;
}

}  // namespace cheshire
