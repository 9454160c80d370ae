// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/cold_start.h"

#include <algorithm>

#include "check.h"
#include "dataplane/packet/answer.h"

namespace cheshire {
namespace {

// It was checked when it came in; parsing again is cheaper than keeping the offsets of every held SYN.
ParsedPacket parse_again(rte_mbuf* packet) {
  return parse_frame(frame_of(packet), {.ipv4 = true, .l4 = true});
}

}  // namespace

ColdStarts::~ColdStarts() {
  HoldQueue& hold = *links_.hold;
  const auto release_all = [&](HeldSyn* syn) {
    for (; syn != nullptr; syn = hold.next(syn)) links_.egress->drop_parked(*syn, DropReason::k_shutdown);
  };
  for (uint16_t index = 0; index < hold.services(); ++index) {
    release_all(hold.first_waiting(ServiceIndex{index}));
    release_all(hold.first_offered(ServiceIndex{index}));
  }
}

void ColdStarts::hold(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key,
                      Chooser::Outcome outcome) {
  HoldQueue& hold = *links_.hold;
  if (turn.service(key.service).refuse && !links_.chooser->has_members(key.service) &&
      !unproven(turn, key.service)) {
    return links_.admission->reject(turn, packet, parsed, key, Rejection::kRefusing);
  }
  const uint32_t bound = links_.admission->hold_bound(turn, key.service, outcome);
  HeldSyn* syn = hold.held(key.service) < bound ? hold.park(key, turn.now_ns) : nullptr;
  if (syn == nullptr) {
    return links_.admission->reject(turn, packet, parsed, key,
                                    bound == 0 ? Rejection::kFull : Rejection::kHoldFull);
  }
  FlowEntry* flow =
      links_.flow_life->insert(key, parsed, header_at<EthernetHeader>(frame_of(packet).data(), 0));
  if (flow == nullptr) {
    hold.take(syn);
    return links_.egress->drop(packet, DropReason::k_flow_table_full);
  }
  links_.flow_life->hold(turn, *flow, hold.index_of(syn));
  links_.egress->park(*syn, packet, parsed);
  serve(turn, key.service);
  if (hold.waiting(key.service) == 1) links_.report->tell(turn, LoadEdge::kDemand, key.service, SlotIndex{});
}

void ColdStarts::client_segment(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed,
                                FlowEntry& flow) {
  HeldSyn* syn = at(flow);
  Egress& egress = *links_.egress;
  const auto& held = header_at<TcpHeader>(frame_of(syn->packet).data(), syn->l4_offset);
  const auto& fresh = header_at<TcpHeader>(frame_of(packet).data(), parsed.l4_offset);
  if ((parsed.tcp_flags & kTcpRst) != 0) {
    // Somebody who does not know its sequence number does not speak for the client.
    if (fresh.sequence.value() - held.sequence.value() > 1) {
      return egress.drop(packet, DropReason::k_no_flow_reset);
    }
    egress.drop_parked(*syn, DropReason::k_client_gave_up);
    leave(syn);
    links_.flow_life->erase(turn, flow);
    return egress.drop(packet, DropReason::k_client_gave_up);
  }
  if (!is_new_syn(parsed)) {
    board_.worker.resets_no_flow.increment();
    return egress.reset_client(turn, packet, parsed);
  }
  if (held.sequence == fresh.sequence || syn->offered)
    return egress.drop(packet, DropReason::k_hold_duplicate);
  // Same port, other sequence number: the client has begun anew. The place in the queue stays.
  FlowLife::set_client(flow, parsed, header_at<EthernetHeader>(frame_of(packet).data(), 0));
  egress.replace_parked(*syn, packet, parsed);
}

void ColdStarts::client_gave_up_offered(FlowEntry& flow) {
  HeldSyn* syn = at(flow);
  links_.egress->forget_delivered(*syn);
  leave(syn);
  FlowLife::syn_left_hold(flow);
}

void ColdStarts::serve_all(const Turn& turn) {
  if (links_.hold->size() == 0) return;
  for (uint16_t index = 0; index < links_.hold->services(); ++index) {
    if (links_.hold->held(ServiceIndex{index}) != 0) serve(turn, ServiceIndex{index});
  }
}

void ColdStarts::serve(const Turn& turn, ServiceIndex index) {
  const bool in_vain = is_in_vain(turn, index);
  serve_offered(turn, index);
  serve_waiting(turn, index, in_vain);
  update_levels(index);
}

void ColdStarts::serve_offered(const Turn& turn, ServiceIndex index) {
  HoldQueue& hold = *links_.hold;
  const uint64_t time_max_ns = turn.service(index).hold_time_max_ns;
  for (HeldSyn* syn = hold.first_offered(index); syn != nullptr;) {
    HeldSyn* next = hold.next(syn);
    std::optional<SlotIndex> other;
    if (turn.now_ns - syn->arrival_ns >= time_max_ns) {
      expire(turn, syn);
    } else if (!links_.flow_life->is_current(*links_.flow_life->table().find(syn->key))) {
      withdraw(turn, syn);
    } else if (turn.now_ns - syn->first_offered_ns >= kGiveToAnotherAfterNs &&
               (other = choose_for_held(turn, syn->key)).has_value()) {
      // At once: waiting, it would be offered to the same instance again.
      withdraw(turn, syn);
      release(turn, *other, syn);
    } else if (turn.now_ns >= syn->offer_again_ns) {
      static_cast<void>(deliver_copy(turn, syn->slot, syn));
    }
    syn = next;
  }
}

void ColdStarts::serve_waiting(const Turn& turn, ServiceIndex index, bool in_vain) {
  HoldQueue& hold = *links_.hold;
  const uint64_t time_max_ns = turn.service(index).hold_time_max_ns;
  for (HeldSyn* syn = hold.first_waiting(index); syn != nullptr;) {
    HeldSyn* next = hold.next(syn);
    std::optional<SlotIndex> asked;
    if (in_vain || turn.now_ns - syn->arrival_ns >= time_max_ns) {
      expire(turn, syn);
    } else if (const std::optional<SlotIndex> ready = choose_for_held(turn, syn->key)) {
      release(turn, *ready, syn);
    } else if ((asked = unproven(turn, index)).has_value() && offer(turn, *asked, syn)) {
      // Its answer will tell. With nobody ready, or with no room at those who are.
    } else {
      break;  // they are in order of arrival: the next one has waited less
    }
    syn = next;
  }
}

// Boots fail again and again, and nobody is left who could become ready.
bool ColdStarts::is_in_vain(const Turn& turn, ServiceIndex index) const {
  return turn.service(index).refuse && !links_.chooser->has_members(index) && !unproven(turn, index) &&
         links_.hold->offered(index) == 0;
}

std::optional<SlotIndex> ColdStarts::unproven(const Turn& turn, ServiceIndex service) const {
  for (const SlotIndex candidate : turn.table->members(service)) {
    const Slot& slot = links_.slots->at(candidate);
    if (slot.alive() && !slot.ready && slot.role == SlotRole::kAccepting && slot.offered == nullptr) {
      return candidate;
    }
  }
  return std::nullopt;
}

std::optional<SlotIndex> ColdStarts::choose_for_held(const Turn& turn, const FlowKey& key) {
  const Chooser::Choice choice = links_.admission->choose(turn, key);
  if (choice.outcome != Chooser::Outcome::kChosen) return std::nullopt;
  if (links_.slots->at(choice.slot).queue.room() == 0) return std::nullopt;
  return choice.slot;
}

void ColdStarts::syn_ack_of(const Turn& turn, SlotIndex index, FlowEntry& flow) {
  HeldSyn* syn = flow.flags.has(FlowFlag::kHoldsSyn) ? at(flow) : nullptr;
  became_ready(turn, index, syn);
  if (syn == nullptr) return;
  links_.egress->forget_delivered(*syn);
  leave(syn);
  FlowLife::syn_left_hold(flow);
  board_.service(flow.key.service).admitted.increment();
}

void ColdStarts::syn_ack_without_flow(const Turn& turn, SlotIndex index) {
  became_ready(turn, index, nullptr);
}

void ColdStarts::became_ready(const Turn& turn, SlotIndex index, const HeldSyn* syn) {
  Slot& slot = links_.slots->at(index);
  if (slot.ready) return;
  slot.offered = nullptr;
  links_.slots->became_ready(turn, index, syn != nullptr ? syn->arrival_ns : 0,
                             syn != nullptr ? syn->first_offered_ns : 0);
}

// Booted, but its application does not listen yet. The client must not see that; we ask again.
void ColdStarts::offer_was_reset(const Turn& turn, const FlowEntry& flow) {
  at(flow)->offer_again_ns = turn.now_ns + kOfferAgainAfterResetNs;
}

void ColdStarts::probe_was_reset(const Turn& turn, SlotIndex index) {
  Slot& slot = links_.slots->at(index);
  if (!slot.ready) slot.probe_again_ns = turn.now_ns + kProbeAgainAfterResetNs;
}

void ColdStarts::probe_unproven(const Turn& turn) {
  for (const SlotIndex index : links_.slots->to_prove()) {
    Slot& slot = links_.slots->at(index);
    if (slot.offered != nullptr) continue;
    if (slot.proofs_begun == slot.proofs_wanted && turn.now_ns < slot.probe_again_ns) continue;
    slot.proofs_begun = slot.proofs_wanted;
    slot.probe_again_ns = turn.now_ns + kProbeAgainNs;
    if (send_probe(turn, index)) note_asked_unproven(turn, slot);
  }
}

void ColdStarts::probe_quiet(const Turn& turn) {
  for (const SlotIndex index : links_.slots->alive()) {
    Slot& slot = links_.slots->at(index);
    const uint64_t every_ns = turn.service(slot.service).rules().probe_every_ns;
    const bool serves = slot.ready && slot.role == SlotRole::kAccepting;
    if (!serves || every_ns == 0 || slot.in_flight != 0 || slot.asked_ns != 0) continue;
    if (turn.now_ns - std::max(slot.heard_ns, slot.ready_ns) < every_ns) continue;
    if (send_probe(turn, index)) links_.report->note_asked(turn, slot);
  }
}

// A SYN of our own: no limit is asked, and nothing is counted as a flow.
bool ColdStarts::send_probe(const Turn& turn, SlotIndex index) {
  Slot& slot = links_.slots->at(index);
  const SteeringService& service = turn.service(slot.service);
  if (service.gateway_ip == be32{}) return false;
  rte_mbuf* probe = links_.egress->new_packet(kProbeLength);
  if (probe == nullptr) return false;
  write_probe(frame_of(probe).data(), service.gateway_ip, service.guest_ip, service.guest_port,
              static_cast<uint32_t>(turn.now_ns));
  slot.load->probes.increment();
  links_.egress->queue_to_guest(turn, index, slot, probe);
  return true;
}

// To an instance that is ready: the SYN itself, and nothing stays behind.
void ColdStarts::release(const Turn& turn, SlotIndex index, HeldSyn* syn) {
  FlowEntry* flow = links_.flow_life->table().find(syn->key);
  CHECK(flow != nullptr);  // a held SYN has a flow entry for as long as it is held
  const ServiceIndex service = syn->key.service;
  rte_mbuf* packet = links_.egress->take_parked(*syn);
  leave(syn);
  FlowLife::begin_anew(*flow);
  links_.flow_life->give(turn, *flow, index);
  board_.service(service).admitted.increment();
  ParsedPacket parsed = parse_again(packet);
  links_.egress->forward_to_guest(turn, packet, parsed, service, index);
}

// To an instance that has yet to show that it is ready: a copy.
bool ColdStarts::offer(const Turn& turn, SlotIndex index, HeldSyn* syn) {
  if (!deliver_copy(turn, index, syn)) return false;
  FlowEntry* flow = links_.flow_life->table().find(syn->key);
  links_.hold->offer(syn, index);
  syn->first_offered_ns = turn.now_ns;
  Slot& slot = links_.slots->at(index);
  slot.offered = syn;
  note_asked_unproven(turn, slot);
  links_.flow_life->give(turn, *flow, index);
  return true;
}

bool ColdStarts::deliver_copy(const Turn& turn, SlotIndex index, HeldSyn* syn) {
  syn->offer_again_ns = turn.now_ns + kOfferAgainNs;
  if (links_.slots->at(index).queue.room() == 0) return false;
  rte_mbuf* copy = links_.egress->copy_parked(*syn);
  if (copy == nullptr) return false;
  ParsedPacket parsed = parse_again(copy);
  links_.egress->forward_to_guest(turn, copy, parsed, syn->key.service, index);
  return true;
}

void ColdStarts::withdraw(const Turn& turn, HeldSyn* syn) {
  links_.flow_life->withdraw(turn, *links_.flow_life->table().find(syn->key));
  Slot& slot = links_.slots->at(syn->slot);
  if (slot.offered == syn) slot.offered = nullptr;
  links_.hold->back_to_waiting(syn);
}

// Nobody became ready in time: the client sees a refusal, not a hang.
void ColdStarts::expire(const Turn& turn, HeldSyn* syn) {
  const FlowKey key = syn->key;
  const bool in_time = turn.now_ns - syn->arrival_ns < turn.service(key.service).hold_time_max_ns;
  rte_mbuf* packet = links_.egress->take_parked(*syn);
  FlowEntry* flow = links_.flow_life->table().find(key);
  leave(syn);
  FlowLife::syn_left_hold(*flow);
  links_.flow_life->erase(turn, *flow);
  links_.admission->reject(turn, packet, parse_again(packet), key,
                           in_time ? Rejection::kRefusing : Rejection::kExpired);
}

// The only way out of the hold. The packet is the caller's.
void ColdStarts::leave(HeldSyn* syn) {
  const ServiceIndex service = syn->key.service;
  if (syn->offered) {
    Slot& slot = links_.slots->at(syn->slot);
    if (slot.offered == syn) slot.offered = nullptr;
  }
  links_.hold->take(syn);
  update_levels(service);
}

// It is asked whether it is ready: the boot deadline counts from the first time on.
void ColdStarts::note_asked_unproven(const Turn& turn, const Slot& slot) {
  if (slot.load->unanswered_since_ns.get() == 0) slot.load->unanswered_since_ns.set(turn.now_ns);
}

void ColdStarts::update_levels(ServiceIndex service) {
  ServiceLoad& load = board_.service(service);
  const HeldSyn* oldest = links_.hold->first_waiting(service);
  load.waiting_syns.set(links_.hold->waiting(service));
  load.held_syns.set(links_.hold->held(service));
  load.waiting_since_ns.set(oldest == nullptr ? 0 : oldest->arrival_ns);
}

}  // namespace cheshire
