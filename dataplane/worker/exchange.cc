// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/exchange.h"

#include <rte_prefetch.h>

#include <algorithm>
#include <bit>

#include "check.h"
#include "dataplane/worker/flow_life.h"

namespace cheshire {

Exchange::Exchange(size_t worker, uint32_t packets_per_sample, const ExchangeLinks& links)
    : worker_(worker), links_(links), sampler_(packets_per_sample, static_cast<uint32_t>(worker) + 1) {
  CHECK(std::has_single_bit(packets_per_sample) && packets_per_sample >= 2 * kBurst);
  if (!has_others()) return;
  batches_.resize(links.hand_over->workers());
  incoming_ = links.hand_over->rings_to(worker);
}

Exchange::~Exchange() {
  for (SpscRing<rte_mbuf*>* ring : incoming_) {
    for (rte_mbuf* packet = nullptr; ring->pop(packet);) {
      links_.egress->count_taken_over(1);
      links_.egress->drop(packet, DropReason::k_shutdown);
    }
  }
}

bool Exchange::has_incoming() const {
  return std::any_of(incoming_.begin(), incoming_.end(), [](auto* ring) { return !ring->empty(); });
}

void Exchange::give_foreign(const Turn& turn, const PacketBurst& burst) {
  bool any = false;
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (burst.steps[i] != Step::kForeign) continue;
    Batch& batch = batches_[turn.service(burst.keys[i].service).worker];
    batch.packets[batch.count++] = burst.packets[i];
    any = true;
  }
  if (!any) return;
  for (size_t to = 0; to < batches_.size(); ++to) {
    Batch& batch = batches_[to];
    if (batch.count == 0) continue;
    const std::span<rte_mbuf* const> packets(batch.packets.data(), batch.count);
    const size_t given = links_.hand_over->ring(worker_, to).push_some(packets);
    links_.egress->count_handed_over(given);
    if (EventBell* bell = links_.hand_over->bell(to)) bell->ring();
    for (rte_mbuf* packet : packets.subspan(given)) links_.egress->drop(packet, DropReason::k_hand_over_full);
    batch.count = 0;
  }
}

bool Exchange::take(SpscRing<rte_mbuf*>& ring, PacketBurst& burst) {
  burst.count = static_cast<uint16_t>(ring.pop_some(std::span(burst.packets)));
  if (burst.count == 0) return false;
  // All that is known of them lies in the giver's cache: first the buffers' heads, then, as ever, the frames.
  for (uint16_t i = 0; i < burst.count; ++i) rte_prefetch0(burst.packets[i]);
  links_.egress->count_taken_over(burst.count);
  return true;
}

void Exchange::drop_astray(PacketBurst& burst) {
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (burst.steps[i] != Step::kForeign) continue;
    burst.steps[i] = Step::kDrop;
    burst.parsed[i].reason = DropReason::k_hand_over_astray;
  }
}

// Only a flow whose handshake is over is met, so a flood of SYNs asks for nothing; and none with a VLAN tag, which no
// rule matches.
void Exchange::look_for_long_flow(const Turn& turn, const PacketBurst& looked_up, FlowTable& flows) {
  if (links_.pins == nullptr || links_.marks->orders.taken.get() == 0) return;
  const std::optional<uint16_t> at = sampler_.among(looked_up.count);
  if (!at) [[likely]]
    return;
  if (!is_segment(looked_up.steps[*at]) || looked_up.parsed[*at].vlan_tci != kNoVlan) return;
  const FlowKey& key = looked_up.keys[*at];
  FlowEntry* flow = flows.find(looked_up.places[*at], key, looked_up.candidates[*at]);
  if (flow == nullptr || flow->state != FlowState::kOpen || !flow->flags.has(FlowFlag::kConfirmed)) return;
  // Not for the first time, nor for the first time after it was asked for.
  if (FlowLife::met_again(*flow)) ask_for_pin(turn, key);
}

void Exchange::ask_for_pin(const Turn& turn, const FlowKey& key) {
  const SteeringService& service = turn.service(key.service);
  WorkerMarks& counts = links_.marks->by_worker[worker_];
  counts.pins_asked.increment();
  if (!links_.pins->push({.client = key.client_ip,
                          .client_port = key.client_port,
                          .vip = service.vip,
                          .port = service.port,
                          .service = key.service,
                          .queue = static_cast<uint16_t>(worker_)})) {
    counts.pins_lost.increment();
  }
}

}  // namespace cheshire
