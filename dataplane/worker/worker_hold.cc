// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Steering of new flows, and the SYNs that wait for an instance.
#include <rte_mbuf.h>

#include "check.h"
#include "dataplane/packet/answer.h"
#include "dataplane/worker/worker.h"

namespace cheshire {

Chooser::Choice Worker::choose_instance(const FlowKey& key) {
  return chooser_.choose(key.service, siphash13(options_.flow_hash_key, key.as_integer()), now_ns_);
}

std::optional<SlotIndex> Worker::choose_for_held(const FlowKey& key) {
  const Chooser::Choice choice = choose_instance(key);
  if (choice.outcome != Chooser::Outcome::kChosen || slots_[choice.slot.value].queue.room() == 0) return {};
  return choice.slot;
}

// Whether it may get new flows now. To be called whenever anything of this changes.
void Worker::update_membership(SlotIndex index) {
  const SlotState& slot = slots_[index.value];
  if (slot.alive() && slot.ready && slot.role == SlotRole::kAccepting) {
    chooser_.add(slot.service, index, slot.ready_ns);
  } else if (slot.alive() && slot.role == SlotRole::kDraining) {
    chooser_.retire(index);
  } else {
    chooser_.remove(index);
  }
}

// Its rings are up, it has not answered a SYN yet, and none is on its way to it.
Worker::SlotState* Worker::unproven(ServiceIndex service, SlotIndex* index) {
  for (const SlotIndex candidate : table_->value.members(service)) {
    SlotState& slot = slots_[candidate.value];
    if (!slot.alive() || slot.ready || slot.role != SlotRole::kAccepting || slot.offered != nullptr) continue;
    *index = candidate;
    return &slot;
  }
  return nullptr;
}

// Instances that were booted ahead of their clients are asked by us.
void Worker::probe_unproven() {
  std::erase_if(to_prove_, [&](SlotIndex index) { return slots_[index.value].ready; });
  for (const SlotIndex index : to_prove_) {
    SlotState& slot = slots_[index.value];
    if (slot.offered != nullptr || now_ns_ < slot.probe_again_ns) continue;
    slot.probe_again_ns = now_ns_ + kProbeAgainNs;
    if (!send_probe(index)) continue;
    SlotLoad& load = board_.slot(index);
    if (load.unanswered_since_ns.get() == 0) load.unanswered_since_ns.set(now_ns_);
  }
}

// A SYN of our own: no limit is asked, and nothing is counted as a flow.
bool Worker::send_probe(SlotIndex index) {
  const SteeringService& service = table_->value.service(slots_[index.value].service);
  if (service.gateway_ip == be32{}) return false;
  rte_mbuf* probe = rte_pktmbuf_alloc(options_.pool);
  if (probe == nullptr) {
    board_.worker.no_memory.increment();
    return false;
  }
  probe->data_len = kProbeLength;
  probe->pkt_len = kProbeLength;
  write_probe(rte_pktmbuf_mtod(probe, uint8_t*), service.gateway_ip, service.guest_ip, service.guest_port,
              static_cast<uint32_t>(now_ns_));
  board_.slot(index).probes.increment();
  board_.worker.generated.increment();
  queue_to_guest(index, slots_[index.value], probe);
  return true;
}

void Worker::serve_held() {
  for (uint16_t index = 0; index < options_.services; ++index) {
    if (hold_.held(ServiceIndex{index}) != 0) serve_held(ServiceIndex{index});
  }
}

void Worker::serve_held(ServiceIndex index) {
  const SteeringService& service = table_->value.service(index);
  const auto expired = [&](const HeldSyn& syn) {
    return now_ns_ - syn.arrival_ns >= service.hold_time_max_ns;
  };
  // Boots fail again and again, and nobody is left who could become ready: waiting is in vain.
  SlotIndex anybody;
  const bool in_vain = service.refuse && !chooser_.has_members(index) &&
                       unproven(index, &anybody) == nullptr && hold_.offered(index) == 0;

  for (HeldSyn* syn = hold_.first_offered(index); syn != nullptr;) {
    HeldSyn* next = hold_.next(syn);
    std::optional<SlotIndex> other;
    if (expired(*syn)) {
      expire(syn);
    } else if (!owner_is_current(*flows_.find(syn->key))) {
      withdraw(syn);  // gone, and the sweep has not come by yet: nothing is for its slot any more
    } else if (now_ns_ - syn->first_offered_ns >= kGiveToAnotherAfterNs &&
               (other = choose_for_held(syn->key)).has_value()) {
      // At once: waiting, it would be offered to the same instance again.
      withdraw(syn);
      release_to(*other, syn);
    } else if (now_ns_ >= syn->offer_again_ns) {
      static_cast<void>(deliver_copy(syn->slot, syn));
    }
    syn = next;
  }

  for (HeldSyn* syn = hold_.first_waiting(index); syn != nullptr;) {
    HeldSyn* next = hold_.next(syn);
    SlotIndex asked;
    if (in_vain || expired(*syn)) {
      expire(syn);
    } else if (const std::optional<SlotIndex> slot = choose_for_held(syn->key); slot.has_value()) {
      release_to(*slot, syn);
    } else if (unproven(index, &asked) != nullptr && offer_to(asked, syn)) {
      // Its answer will tell. With nobody ready, or with no room at those who are.
    } else {
      break;  // they are in order of arrival: the next one has waited less
    }
    syn = next;
  }
  update_held_levels(index);
}

// To an instance that is ready: the SYN itself, and nothing stays behind.
void Worker::release_to(SlotIndex index, HeldSyn* syn) {
  FlowEntry* flow = flows_.find(syn->key);
  CHECK(flow != nullptr);  // a held SYN has a flow entry for as long as it is held
  const ServiceIndex service = syn->key.service;
  rte_mbuf* packet = syn->packet;
  if (syn->was_delivered) {
    board_.worker.generated.increment();
  } else {
    board_.worker.held_packets.decrement();
  }
  forget_held(syn);
  flow->flags = 0;
  flow->guest_next = 0;
  open_flow(*flow, index);
  board_.service(service).admitted.increment();
  // It was checked when it came in; parsing again is cheaper than keeping the offsets of every held SYN.
  ParsedPacket parsed =
      parse_frame({rte_pktmbuf_mtod(packet, uint8_t*), packet->data_len}, {.ipv4 = true, .l4 = true});
  forward_to_guest(packet, parsed, service, index);
}

// To an instance that has yet to show that it is ready: a copy.
bool Worker::offer_to(SlotIndex index, HeldSyn* syn) {
  if (!deliver_copy(index, syn)) return false;
  FlowEntry* flow = flows_.find(syn->key);
  hold_.offer(syn, index);
  syn->first_offered_ns = now_ns_;
  slots_[index.value].offered = syn;
  SlotLoad& load = board_.slot(index);
  if (load.unanswered_since_ns.get() == 0) load.unanswered_since_ns.set(now_ns_);
  open_flow(*flow, index);
  return true;
}

bool Worker::deliver_copy(SlotIndex index, HeldSyn* syn) {
  syn->offer_again_ns = now_ns_ + kOfferAgainNs;
  if (slots_[index.value].queue.room() == 0) return false;
  rte_mbuf* copy = rte_pktmbuf_copy(syn->packet, options_.pool, 0, UINT32_MAX);
  if (copy == nullptr) {
    board_.worker.no_memory.increment();
    return false;
  }
  if (syn->was_delivered) {
    board_.worker.generated.increment();
  } else {
    syn->was_delivered = true;
    board_.worker.held_packets.decrement();
  }
  ParsedPacket parsed =
      parse_frame({rte_pktmbuf_mtod(copy, uint8_t*), copy->data_len}, {.ipv4 = true, .l4 = true});
  forward_to_guest(copy, parsed, syn->key.service, index);
  return true;
}

// Back to waiting: the instance is gone, or takes too long while another one is ready.
void Worker::withdraw(HeldSyn* syn) {
  FlowEntry* flow = flows_.find(syn->key);
  close_flow(*flow);
  flow->state = FlowState::kHeld;
  SlotState& slot = slots_[syn->slot.value];
  if (slot.offered == syn) slot.offered = nullptr;
  hold_.back_to_waiting(syn);
}

// Nobody became ready in time: the client sees a refusal, not a hang.
void Worker::expire(HeldSyn* syn) {
  const FlowKey key = syn->key;
  const uint64_t arrival_ns = syn->arrival_ns;
  rte_mbuf* packet = syn->packet;
  FlowEntry* flow = flows_.find(key);
  if (syn->was_delivered) {
    board_.worker.generated.increment();
  } else {
    board_.worker.held_packets.decrement();
  }
  forget_held(syn);
  flow->flags = 0;
  erase_flow(*flow);
  const ParsedPacket parsed =
      parse_frame({rte_pktmbuf_mtod(packet, uint8_t*), packet->data_len}, {.ipv4 = true, .l4 = true});
  const bool in_time = now_ns_ - arrival_ns < table_->value.service(key.service).hold_time_max_ns;
  reject(packet, parsed, key, in_time ? Rejection::kRefusing : Rejection::kExpired);
}

void Worker::forget_held(HeldSyn* syn) {
  const ServiceIndex service = syn->key.service;
  if (syn->offered) {
    SlotState& slot = slots_[syn->slot.value];
    if (slot.offered == syn) slot.offered = nullptr;
  }
  hold_.take(syn);
  update_held_levels(service);
}

void Worker::update_held_levels(ServiceIndex service) {
  ServiceLoad& load = board_.service(service);
  const HeldSyn* oldest = hold_.first_waiting(service);
  load.waiting_syns.set(hold_.waiting(service));
  load.held_syns.set(hold_.held(service));
  load.waiting_since_ns.set(oldest == nullptr ? 0 : oldest->arrival_ns);
}

}  // namespace cheshire
