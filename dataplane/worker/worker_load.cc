// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the worker tells of its load: counters are on the board already, here the records about them.
#include <algorithm>

#include "dataplane/worker/worker.h"

namespace cheshire {
namespace {

// A handshake that takes longer is not timed any more: its SYN or its SYN-ACK was lost.
constexpr uint64_t kTimedMaxNs = kNsPerSecond;

}  // namespace

// With many instances each record waits for lines of its slot and its row, unless they are fetched ahead.
void Worker::publish_load() {
  load_published_ns_ = now_ns_;
  board_.worker.flows.set(flows_.size());
  look_after_instances();
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
    SlotState& slot = slots_[index.value];
    slot.touched = false;
    if (!slot.alive()) continue;
    tell(look_at_backlog(index, slot), slot.service, index);
    if (slot.touched) touched_[kept++] = index;
  }
  touched_.resize(kept);
}

LoadEdge Worker::look_at_backlog(SlotIndex index, SlotState& slot) {
  const Backlog backlog = slot.port->backlog();
  board_.slot(index).queue_delay_ns.set(backlog.age_ns);
  slot.touched = backlog.packets != 0;  // looked at again, even if nothing comes
  const bool stands = backlog.packets != 0 && backlog.consumed == slot.consumed;
  slot.consumed = backlog.consumed;
  const bool tells = stands && !slot.stall_told;
  slot.stall_told = stands;
  return tells ? LoadEdge::kStalled : LoadEdge::kPeriodic;
}

void Worker::tell(LoadEdge edge, ServiceIndex service, SlotIndex index) {
  SlotState& slot = slots_[index.value];
  const SlotLoad& load = *slot.load;
  const bool told = load_ring_.fill_next([&](LoadRecord& record) {
    record.version = kLoadRecordVersion;
    record.edge = edge;
    record.reserved = 0;
    record.service = service;
    record.slot = index;
    record.generation = slot.generation;
    record.in_flight = slot.in_flight;
    record.in_flight_peak = std::max(slot.in_flight_peak, slot.in_flight);
    record.waiting_syns = hold_.waiting(service);
    record.time_ns = now_ns_;
    record.flows_opened = load.flows_opened.get();
    record.packets_to_guest = load.packets_to_guest.get();
    record.packets_from_guest = load.packets_from_guest.get();
    record.queue_delay_ns = load.queue_delay_ns.get();
  });
  slot.in_flight_peak = slot.in_flight;
  if (!told) board_.worker.load_records_lost.increment();
  if (doorbell_ != nullptr && edge != LoadEdge::kPeriodic) doorbell_->ring();
}

// One SYN at a time and slot: a sample is enough, and the flow's entry has no room for its time.
void Worker::time_handshake(SlotIndex index, const FlowKey& flow) {
  SlotState& slot = slots_[index.value];
  if (slot.timed_since_ns != 0 && now_ns_ - slot.timed_since_ns < kTimedMaxNs) return;
  slot.timed = flow;
  slot.timed_since_ns = now_ns_;
}

void Worker::handshake_ended(SlotIndex index, const FlowKey& flow) {
  SlotState& slot = slots_[index.value];
  if (slot.timed_since_ns == 0 || !(slot.timed == flow)) return;
  SlotLoad& load = board_.slot(index);
  load.handshakes.increment();
  load.handshake_ns.add(now_ns_ - slot.timed_since_ns);
  slot.timed_since_ns = 0;
}

}  // namespace cheshire
