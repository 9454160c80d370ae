// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Between workers: packets of services that another one owns, on their way out and in (hand_over.h).
#include <rte_prefetch.h>

#include "dataplane/worker/flow_marks.h"
#include "dataplane/worker/worker.h"

namespace cheshire {

// What is foreign is out of the burst, and after the push not ours to look at.
void Worker::hand_over_foreign() {
  bool any = false;
  for (uint16_t i = 0; i < burst_.count; ++i) {
    if (burst_.steps[i] != Step::kForeign) continue;
    Batch& batch = batches_[table_->value.service(burst_.keys[i].service).worker];
    batch.packets[batch.count++] = burst_.packets[i];
    any = true;
  }
  if (!any) return;
  for (size_t to = 0; to < batches_.size(); ++to) {
    Batch& batch = batches_[to];
    if (batch.count == 0) continue;
    const std::span<rte_mbuf* const> packets(batch.packets.data(), batch.count);
    const size_t given = hand_over_->ring(options_.number, to).push_some(packets);
    board_.worker.handed_over.add(given);
    if (EventBell* bell = hand_over_->bell(to)) bell->ring();
    for (rte_mbuf* packet : packets.subspan(given)) drop(packet, DropReason::k_hand_over_full);
    batch.count = 0;
  }
}

// From each of the others a burst at most, as from the NIC. The giver may know a newer table, with a service that we
// have not heard of: what it had read before it gave is seen by who takes, so ours is as new as its then.
bool Worker::receive_from_workers() {
  bool came = false;
  for (SpscRing<rte_mbuf*>* ring : incoming_) {
    burst_.count = static_cast<uint16_t>(ring->pop_some(std::span(burst_.packets)));
    if (burst_.count == 0) continue;
    // All that is known of them lies in the giver's cache: first the buffers' heads, then, as ever, the frames.
    for (uint16_t i = 0; i < burst_.count; ++i) rte_prefetch0(burst_.packets[i]);
    came = true;
    board_.worker.taken_over.add(burst_.count);
    take_steering_table();
    read_handed_over(burst_, finder_, nic_.mac(), flows_);
    drop_astray();
    if (marks_ != nullptr) {
      compare_marks(burst_, *marks_, options_.number);
      count_watched(burst_, marks_->orders, marks_->by_worker[options_.number].watched_over);
    }
    look_up(burst_, flows_);
    if (pins_ != nullptr && marks_->orders.taken.get() != 0) look_for_long_flow();
    act_on_clients();
  }
  return came;
}

// The giver's table may be older. A service that has changed its worker since had left before, so the packet is nobody's;
// it is not handed on a second time, or it might go round.
void Worker::drop_astray() {
  for (uint16_t i = 0; i < burst_.count; ++i) {
    if (burst_.steps[i] != Step::kForeign) continue;
    burst_.steps[i] = Step::kDrop;
    burst_.parsed[i].reason = DropReason::k_hand_over_astray;
  }
}

// Before the packets act. Only a flow whose handshake is over is met, so a flood of SYNs asks for nothing; and none with
// a VLAN tag, which no rule matches.
void Worker::look_for_long_flow() {
  const std::optional<uint16_t> at = sampler_.among(burst_.count);
  if (!at) [[likely]]
    return;
  if (!is_segment(burst_.steps[*at]) || burst_.parsed[*at].vlan_tci != kNoVlan) return;
  const FlowKey& key = burst_.keys[*at];
  FlowEntry* flow = flows_.find(burst_.places[*at], key, burst_.candidates[*at]);
  if (flow == nullptr || flow->state != FlowState::kOpen || (flow->flags & kFlowConfirmed) == 0) return;
  flow->flags ^= kFlowMetOnce;
  if ((flow->flags & kFlowMetOnce) != 0) return;  // for the first time, or again after it was asked for
  const SteeringService& service = table_->value.service(key.service);
  WorkerMarks& counts = marks_->by_worker[options_.number];
  counts.pins_asked.increment();
  if (!pins_->push({.client = key.client_ip,
                    .client_port = key.client_port,
                    .vip = service.vip,
                    .port = service.port,
                    .service = key.service,
                    .queue = static_cast<uint16_t>(options_.number)})) {
    counts.pins_lost.increment();
  }
}

}  // namespace cheshire
