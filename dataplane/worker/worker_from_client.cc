// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From the NIC: each packet of a burst that was parsed, classified and looked up (packet_burst.h) goes to its
// flow's instance, to an instance that steering picks, to the hold queue, or back to the client as an answer.
#include <cstring>

#include "dataplane/packet/answer.h"
#include "dataplane/worker/flow_marks.h"
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/worker.h"

namespace cheshire {
namespace {

// Takes the VLAN tag out: guests live on an untagged network of their own.
void strip_vlan(rte_mbuf* packet, ParsedPacket& parsed) {
  uint8_t* frame = bytes_of(packet);
  std::memmove(frame + sizeof(VlanTag), frame, 2 * sizeof(MacAddress));
  rte_pktmbuf_adj(packet, sizeof(VlanTag));
  for (uint16_t* position : {&parsed.l3_offset, &parsed.l4_offset, &parsed.frame_length}) {
    *position = static_cast<uint16_t>(*position - sizeof(VlanTag));
  }
}

bool is_new_syn(const ParsedPacket& parsed) {
  return (parsed.tcp_flags & (kTcpSyn | kTcpAck)) == kTcpSyn;
}

// Whether a plain segment tells nothing about its flow but that it lives.
bool tells_nothing(bool has_payload, const uint8_t* frame, const FlowEntry& flow) {
  constexpr unsigned kTell = kFlowReset | kFlowHoldsSyn | kFlowFinFromClient | kFlowFinFromGuest;
  constexpr unsigned kAsUsual = kFlowConfirmed | kFlowOwesAnswer;
  // An answer that is owed already: payload tells nothing new.
  const unsigned condition = flow.condition() | (has_payload ? 0U : unsigned{kFlowOwesAnswer} << 8U);
  return (condition & (0xffU | (kTell | kAsUsual) << 8U)) ==
             FlowEntry::condition_of(FlowState::kOpen, kAsUsual) &&
         flow.came_untagged_as(header_at<EthernetHeader>(frame, 0));
}

}  // namespace

bool Worker::receive_from_clients() {
  burst_.count = nic_.receive(burst_.packets.data(), kBurst);
  if (burst_.count == 0) return false;
  board_.worker.nic_rx_packets.add(burst_.count);
  read_from_clients(burst_, finder_, nic_, flows_);
  if (hand_over_ != nullptr) hand_over_foreign();
  if (marks_ != nullptr) {
    compare_marks(burst_, *marks_, options_.number);
    count_watched(burst_, marks_->orders, marks_->by_worker[options_.number].watched_here);
  }
  look_up(burst_, flows_);
  act_on_clients();
  return true;
}

// Where its replies go to, and that it was seen.
void Worker::note_client(rte_mbuf* packet, const ParsedPacket& parsed, FlowEntry& flow) const {
  if (!is_new_syn(parsed)) flow.last_seen = flow_time(now_ns_);
  flow.client_mac = header_at<EthernetHeader>(bytes_of(packet), 0).source;
  flow.vlan_tci = parsed.vlan_tci;
}

void Worker::forward_to_guest(rte_mbuf* packet, ParsedPacket& parsed, ServiceIndex service, SlotIndex slot) {
  if (parsed.l4_length > parsed.tcp_header_length || (parsed.tcp_flags & (kTcpSyn | kTcpFin)) != 0) {
    asks(slot, slots_[slot.value]);
  }
  set_length(packet, parsed.frame_length);
  if (parsed.vlan_tci != kNoVlan) strip_vlan(packet, parsed);
  rewrites_[service.value].to_guest(bytes_of(packet), parsed);
  queue_to_guest(slot, slots_[slot.value], packet);
}

void Worker::act_on_clients() {
  const uint32_t now = flow_time(now_ns_);
  const uint16_t count = burst_.count;
  for (uint16_t i = 0; i < count; ++i) {
    if (burst_.steps[i] != Step::kPlainSegment || !pass_on(i, now)) [[unlikely]]
      act_on_client(i);
  }
}

// What nearly every packet is: a plain segment of an open flow, whose entry is the candidate. False: it takes more.
[[gnu::always_inline]] inline bool Worker::pass_on(uint16_t i, uint32_t now) {
  FlowEntry* flow = burst_.candidates[i];
  const FlowKey& key = burst_.keys[i];
  if (!(flow->key == key)) return false;
  rte_mbuf* packet = burst_.packets[i];
  const ParsedPacket& parsed = burst_.parsed[i];
  uint8_t* frame = bytes_of(packet);
  const bool has_payload = parsed.l4_length != parsed.tcp_header_length;
  SlotState& slot = slots_[flow->slot.value];
  if (!tells_nothing(has_payload, frame, *flow) || !(slot.living == flow->generation)) return false;
  // A line that is not written need not be written back.
  if (flow->last_seen != now) flow->last_seen = now;
  if (has_payload) asks(flow->slot, slot);
  set_length(packet, parsed.frame_length);
  rewrites_[key.service.value].to_guest(frame, parsed);
  queue_to_guest(flow->slot, slot, packet);
  return true;
}

[[gnu::noinline]] void Worker::act_on_client(uint16_t i) {
  if (!is_segment(burst_.steps[i])) return answer_or_drop(i);
  const FlowKey& key = burst_.keys[i];
  FlowEntry* flow = flows_.find(burst_.places[i], key, burst_.candidates[i]);
  if (flow == nullptr) return segment_without_flow(burst_.packets[i], burst_.parsed[i], key);
  segment_of_flow(burst_.packets[i], burst_.parsed[i], *flow);
}

void Worker::answer_or_drop(uint16_t i) {
  rte_mbuf* packet = burst_.packets[i];
  const ParsedPacket& parsed = burst_.parsed[i];
  switch (burst_.steps[i]) {
    case Step::kForeign:  // not ours any more
    case Step::kSegment:  // not here
    case Step::kPlainSegment:
      break;
    case Step::kDrop:
      return drop(packet, parsed.reason);
    case Step::kNoService:
      return segment_without_service(packet, parsed);
    case Step::kAnswerArp:
      make_arp_reply(bytes_of(packet), parsed, nic_.mac());
      return send_to_client(packet);
    case Step::kAnswerEcho:
      make_echo_reply(bytes_of(packet), parsed, nic_.mac());
      return send_to_client(packet);
  }
}

void Worker::segment_without_service(rte_mbuf* packet, const ParsedPacket& parsed) {
  if ((parsed.tcp_flags & kTcpRst) != 0) return drop(packet, DropReason::k_no_flow_reset);
  board_.worker.resets_no_service.increment();
  answer_with_reset(packet, parsed);
}

void Worker::segment_without_flow(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key) {
  if (is_new_syn(parsed)) return steer_syn(packet, parsed, key);
  if (take_untracked(packet, parsed, key)) return;
  if ((parsed.tcp_flags & kTcpRst) != 0) return reset_without_flow(packet, parsed, key);
  if (table_->value.service(key.service).rules().action == OverloadAction::kHttp503) {
    return refuse_by_http(packet, parsed, key);
  }
  board_.worker.resets_no_flow.increment();
  answer_with_reset(packet, parsed);
}

// A SYN came for a flow that is open. Its guest would answer that (RFC 9293 3.10.7.4), and a client that has
// begun anew would reset it and try again a second later. One that drains is spared that: it is to get no new
// flows. Not where the flow was just in use, so that a forged SYN breaks nothing that anybody works with.
bool Worker::is_forgotten_by_client(const FlowEntry& flow) const {
  const bool open = flow.state == FlowState::kOpen && (flow.flags & kFlowConfirmed) != 0;
  return open && slots_[flow.slot.value].role == SlotRole::kDraining &&
         flow_time(now_ns_) - flow.last_seen >= flow_duration(kReusedAfterQuietNs);
}

void Worker::segment_of_flow(rte_mbuf* packet, ParsedPacket& parsed, FlowEntry& flow) {
  if (flow.state == FlowState::kHeld) return segment_of_held_flow(packet, parsed, flow);
  if (!owner_is_current(flow)) return segment_of_lost_flow(packet, parsed, flow);
  const FlowKey key = flow.key;
  if (is_new_syn(parsed)) {
    // We offer the SYN again ourselves until the instance has shown that it is ready.
    if ((flow.flags & kFlowHoldsSyn) != 0) return segment_of_held_flow(packet, parsed, flow);
    // The client reuses its port: a new connection, steered afresh.
    if (flow.state == FlowState::kClosing || is_forgotten_by_client(flow)) {
      erase_flow(flow);
      return steer_syn(packet, parsed, key);
    }
  }

  const auto& tcp = header_at<TcpHeader>(bytes_of(packet), parsed.l4_offset);
  note_client(packet, parsed, flow);
  if ((parsed.tcp_flags & kTcpRst) != 0) {
    if ((flow.flags & kFlowHoldsSyn) != 0) {
      HeldSyn* syn = held_syn_of(flow);
      rte_pktmbuf_free(syn->packet);
      forget_held(syn);
      flow.flags &= static_cast<uint8_t>(~kFlowHoldsSyn);
      flow.guest_next = 0;
    }
    if (flow.state != FlowState::kClosing) flow.flags |= kFlowReset;
    close_flow(flow);
  } else {
    reopen_if_reset(flow);
    if (!is_new_syn(parsed)) flow.flags |= kFlowConfirmed;
    if ((parsed.tcp_flags & kTcpFin) != 0) flow.flags |= kFlowFinFromClient;
    if (parsed.l4_length > parsed.tcp_header_length) set_owing(flow, true);
    // Both have finished, and the client has everything that the guest sent.
    constexpr uint8_t kBoth = kFlowFinFromClient | kFlowFinFromGuest;
    if ((flow.flags & kBoth) == kBoth && (parsed.tcp_flags & kTcpAck) != 0 &&
        tcp.acknowledgment.value() == flow.guest_next) {
      close_flow(flow);
    }
  }
  forward_to_guest(packet, parsed, flow.key.service, flow.slot);
}

void Worker::segment_of_held_flow(rte_mbuf* packet, const ParsedPacket& parsed, FlowEntry& flow) {
  HeldSyn* syn = held_syn_of(flow);
  const auto& held = *rte_pktmbuf_mtod_offset(syn->packet, const TcpHeader*, syn->l4_offset);
  const auto& fresh = header_at<TcpHeader>(bytes_of(packet), parsed.l4_offset);
  if ((parsed.tcp_flags & kTcpRst) != 0) {
    // Somebody who does not know its sequence number does not speak for the client.
    if (fresh.sequence.value() - held.sequence.value() > 1) return drop(packet, DropReason::k_no_flow_reset);
    // Only reached while it waits: an offered SYN's reset goes to the instance, in segment_of_flow().
    if (syn->was_delivered) {
      rte_pktmbuf_free(syn->packet);
    } else {
      board_.worker.held_packets.decrement();
      drop(syn->packet, DropReason::k_client_gave_up);
    }
    forget_held(syn);
    flows_.erase(&flow);
    return drop(packet, DropReason::k_client_gave_up);
  }
  if (!is_new_syn(parsed)) {
    board_.worker.resets_no_flow.increment();
    return answer_with_reset(packet, parsed);
  }
  if (held.sequence == fresh.sequence || syn->offered) return drop(packet, DropReason::k_hold_duplicate);
  // Same port, other sequence number: the client has begun anew. The place in the queue stays.
  std::swap(packet, syn->packet);
  syn->l4_offset = parsed.l4_offset;
  flow.client_mac = header_at<EthernetHeader>(bytes_of(syn->packet), 0).source;
  flow.vlan_tci = parsed.vlan_tci;
  if (syn->was_delivered) {
    syn->was_delivered = false;
    board_.worker.held_packets.increment();
    rte_pktmbuf_free(packet);
    return;
  }
  drop(packet, DropReason::k_client_gave_up);
}

// The instance is gone, the sweep that forgets its flows has not come by yet.
void Worker::segment_of_lost_flow(rte_mbuf* packet, ParsedPacket& parsed, FlowEntry& flow) {
  if ((flow.flags & kFlowHoldsSyn) != 0) {
    lose_flow(flow);  // back to waiting
    return segment_of_held_flow(packet, parsed, flow);
  }
  const FlowKey key = flow.key;
  erase_flow(flow);
  segment_without_flow(packet, parsed, key);
}

void Worker::steer_syn(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key) {
  board_.service(key.service).syns.increment();
  // Those who came before and wait go first.
  if (hold_.waiting(key.service) != 0) serve_held(key.service);
  const Chooser::Choice choice = choose_instance(key);
  if (must_prove(key, choice)) return challenge(packet, parsed, key);
  if (choice.outcome != Chooser::Outcome::kChosen || hold_.waiting(key.service) != 0) {
    return hold_syn(packet, parsed, key, choice.outcome);
  }

  FlowEntry* flow = flows_.insert(key);
  if (flow == nullptr) return begin_untracked(packet, parsed, key);
  flow->client_mac = header_at<EthernetHeader>(bytes_of(packet), 0).source;
  flow->vlan_tci = parsed.vlan_tci;
  open_flow(*flow, choice.slot);
  board_.service(key.service).admitted.increment();
  time_handshake(choice.slot, key);
  forward_to_guest(packet, parsed, key.service, choice.slot);
}

void Worker::hold_syn(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key,
                      Chooser::Outcome outcome) {
  const SteeringService& service = table_->value.service(key.service);
  SlotIndex index;
  if (service.refuse && !chooser_.has_members(key.service) && unproven(key.service, &index) == nullptr) {
    return reject(packet, parsed, key, Rejection::kRefusing);
  }
  const uint32_t bound = hold_bound(key.service, outcome);
  HeldSyn* syn = hold_.held(key.service) < bound ? hold_.park(key, now_ns_) : nullptr;
  if (syn == nullptr) {
    return reject(packet, parsed, key, bound == 0 ? Rejection::kFull : Rejection::kHoldFull);
  }
  FlowEntry* flow = flows_.insert(key);
  if (flow == nullptr) {
    hold_.take(syn);
    return drop(packet, DropReason::k_flow_table_full);
  }
  flow->state = FlowState::kHeld;
  flow->flags = kFlowHoldsSyn;
  flow->guest_next = hold_.index_of(syn);
  flow->last_seen = flow_time(now_ns_);
  flow->client_mac = header_at<EthernetHeader>(bytes_of(packet), 0).source;
  flow->vlan_tci = parsed.vlan_tci;
  set_length(packet, parsed.frame_length);
  syn->packet = packet;
  syn->l4_offset = parsed.l4_offset;
  board_.worker.held_packets.increment();
  serve_held(key.service);
  if (hold_.waiting(key.service) == 1) tell(LoadEdge::kDemand, key.service, SlotIndex{});
}

void Worker::answer_with_reset(rte_mbuf* packet, const ParsedPacket& parsed) {
  set_length(packet, make_reset_reply(bytes_of(packet), parsed));
  send_to_client(packet);
}

}  // namespace cheshire
