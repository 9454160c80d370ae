// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From the guests: a guest is hostile until each packet has shown otherwise. It may speak from its own MAC,
// address and port only, and only in flows that it was given.
#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>

#include "dataplane/packet/answer.h"
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/worker.h"

namespace cheshire {
namespace {

// How many guests' rings are looked at in a turn. An empty look costs some ten nanoseconds, so a thousand
// guests cannot all be looked at each time; those that packets went to or came from lately are asked first.
constexpr size_t kHotLooksUnderLoad = 16;  // while packets of clients come in; else every hot one
constexpr size_t kQuietLooksUnderLoad = 4;
constexpr size_t kQuietLooks = 16;       // in a turn without packets of clients
constexpr size_t kQuietLooksIdle = 128;  // after some turns without anything to do
constexpr uint32_t kIdleTurns = 64;
constexpr uint16_t kEmptyLooksUntilQuiet = 4096;

// Makes room for a VLAN tag behind the addresses and writes it. False: no headroom.
bool insert_vlan(rte_mbuf* packet, uint16_t tci) {
  if (rte_pktmbuf_prepend(packet, sizeof(VlanTag)) == nullptr) return false;
  uint8_t* frame = bytes_of(packet);
  std::memmove(frame, frame + sizeof(VlanTag), 2 * sizeof(MacAddress));
  header_at<EthernetHeader>(frame, 0).ether_type = be16(kEtherTypeVlan);
  header_at<VlanTag>(frame, sizeof(EthernetHeader)).tci = be16(tci);  // the EtherType behind it is in place
  return true;
}

bool is_syn_ack(const ParsedPacket& parsed) {
  constexpr uint8_t kSynAck = kTcpSyn | kTcpAck;
  return (parsed.tcp_flags & kSynAck) == kSynAck;
}

// Of a plain segment in an open flow: nothing but that the flow lives, and how far the guest has sent.
bool tells_nothing(const ParsedPacket& parsed, const FlowEntry& flow) {
  constexpr uint8_t kTell = kFlowReset | kFlowHoldsSyn;
  const bool answers = parsed.l4_length != parsed.tcp_header_length && (flow.flags & kFlowOwesAnswer) != 0;
  return flow.state == FlowState::kOpen && (flow.flags & kTell) == 0 && !answers && flow.vlan_tci == kNoVlan;
}

bool sequence_after(uint32_t a, uint32_t b) {
  return static_cast<int32_t>(a - b) > 0;
}

}  // namespace

// In line: nearly all of these looks find nothing.
[[gnu::always_inline]] inline bool Worker::look_at_guest(SlotIndex index, SlotState& slot) {
  const uint16_t count = slot.port->from_guest(options_.pool, burst_.packets.data(), kBurst);
  if (count == 0) [[likely]]
    return false;
  burst_.count = count;
  take_from_guest(index, slot);
  return true;
}

bool Worker::receive_from_guests(bool clients_came) {
  bool busy = false;
  for (size_t looks = clients_came ? std::min(hot_.size(), kHotLooksUnderLoad) : hot_.size(); looks > 0;
       --looks) {
    if (hot_next_ >= hot_.size()) hot_next_ = 0;
    const SlotIndex index = hot_[hot_next_];
    SlotState& slot = slots_[index.value];
    if (slot.alive()) {
      if (look_at_guest(index, slot)) {
        busy = true;
        slot.empty_looks = 0;
      }
      if (++slot.empty_looks < kEmptyLooksUntilQuiet) {
        ++hot_next_;
        continue;
      }
    }
    slot.hot = false;
    hot_[hot_next_] = hot_.back();
    hot_.pop_back();
  }

  if (hot_.size() == polled_.size()) return busy;  // nobody is quiet; or a dead one is about to leave hot_
  size_t looks = idle_turns_ >= kIdleTurns ? kQuietLooksIdle : kQuietLooks;
  if (clients_came) looks = kQuietLooksUnderLoad;
  for (looks = std::min(looks, polled_.size()); looks > 0; --looks) {
    if (polled_next_ >= polled_.size()) polled_next_ = 0;
    const SlotIndex index = polled_[polled_next_++];
    SlotState& slot = slots_[index.value];
    if (slot.hot || !look_at_guest(index, slot)) continue;
    busy = true;
    becomes_hot(index, slot);
  }
  return busy;
}

[[gnu::noinline]] void Worker::take_from_guest(SlotIndex index, SlotState& slot) {
  touch(index, slot);
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < burst_.count; ++i) bytes += burst_.packets[i]->pkt_len;
  SlotLoad& load = board_.slot(index);
  load.packets_from_guest.add(burst_.count);
  heard(index, slot);
  load.bytes_from_guest.add(bytes);
  board_.worker.packets_from_guest.add(burst_.count);
  read_from_guest(burst_, table_->value.service(slot.service), slot.service, flows_);
  look_up(burst_, flows_);
  act_on_guest(index);
}

void Worker::act_on_guest(SlotIndex index) {
  const SlotState& slot = slots_[index.value];
  const ServiceRewrite& rewrite = rewrites_[slot.service.value];
  const uint32_t now = flow_time(now_ns_);
  for (uint16_t i = 0; i < burst_.count; ++i) {
    rte_mbuf* packet = burst_.packets[i];
    const ParsedPacket& parsed = burst_.parsed[i];
    switch (burst_.steps[i]) {
      case Step::kPlainSegment:
      case Step::kSegment: {
        FlowEntry* flow = flows_.find(burst_.places[i], burst_.keys[i], burst_.candidates[i]);
        if (burst_.steps[i] == Step::kPlainSegment && flow != nullptr && flow->slot == index &&
            flow->generation == slot.generation && tells_nothing(parsed, *flow)) [[likely]] {
          // What nearly every packet is.
          const auto& tcp = header_at<TcpHeader>(bytes_of(packet), parsed.l4_offset);
          const uint32_t next = tcp.sequence.value() + tcp_sequence_length(parsed);
          if (flow->last_seen != now) flow->last_seen = now;
          if (sequence_after(next, flow->guest_next)) flow->guest_next = next;
          set_length(packet, parsed.frame_length);
          rewrite.from_guest(bytes_of(packet), parsed, nic_.mac(), flow->client_mac);
          send_to_client(packet);
        } else {
          guest_segment(index, packet, parsed, flow);
        }
        break;
      }
      case Step::kAnswerArp:
        make_arp_reply(bytes_of(packet), parsed, kGatewayMac);
        queue_to_guest(index, slots_[index.value], packet);
        break;
      case Step::kDrop:
      case Step::kForeign:  // for clients only, as
      case Step::kAnswerEcho:
      case Step::kNoService:
        board_.slot(index).drops.increment();
        drop(packet, parsed.reason);
        break;
    }
  }
}

// `flow`: nullptr if there is none.
void Worker::guest_segment(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed, FlowEntry* flow) {
  const SlotState& slot = slots_[index.value];
  if (flow == nullptr && reply_untracked(index, packet, parsed)) return;
  if (flow == nullptr || flow->state == FlowState::kHeld || !(flow->slot == index) ||
      !(flow->generation == slot.generation)) {
    return guest_segment_without_flow(index, packet, parsed);
  }
  if ((parsed.tcp_flags & kTcpRst) != 0 && (flow->flags & kFlowHoldsSyn) != 0) {
    // Booted, but its application does not listen yet. The client must not see that; we ask again.
    HeldSyn* syn = held_syn_of(*flow);
    syn->offer_again_ns = now_ns_ + kOfferAgainAfterResetNs;
    board_.slot(index).drops.increment();
    return drop(packet, DropReason::k_guest_early_reset);
  }
  note_guest_segment(index, *flow, parsed, header_at<TcpHeader>(bytes_of(packet), parsed.l4_offset));

  send_reply(packet, parsed, slot.service, flow->client_mac, flow->vlan_tci);
}

void Worker::send_reply(rte_mbuf* packet, const ParsedPacket& parsed, ServiceIndex service,
                        const MacAddress& client_mac, uint16_t vlan_tci) {
  set_length(packet, parsed.frame_length);
  rewrites_[service.value].from_guest(bytes_of(packet), parsed, nic_.mac(), client_mac);
  if (vlan_tci != kNoVlan && !insert_vlan(packet, vlan_tci)) return drop(packet, DropReason::k_oversize);
  send_to_client(packet);
}

// What a segment says about its flow and its instance, before it leaves.
void Worker::note_guest_segment(SlotIndex index, FlowEntry& flow, const ParsedPacket& parsed,
                                const TcpHeader& tcp) {
  // A SYN-ACK that is sent again keeps nothing young: a client that never goes on must not pin its instance.
  if (!is_syn_ack(parsed)) flow.last_seen = flow_time(now_ns_);
  const uint32_t next = tcp.sequence.value() + tcp_sequence_length(parsed);
  if (is_syn_ack(parsed)) {
    handshake_ended(index, flow.key);
    HeldSyn* syn = (flow.flags & kFlowHoldsSyn) != 0 ? held_syn_of(flow) : nullptr;
    if (!slots_[index.value].ready) {
      became_ready(index, syn != nullptr ? syn->arrival_ns : 0, syn != nullptr ? syn->first_offered_ns : 0);
    }
    if (syn != nullptr) {
      rte_pktmbuf_free(syn->packet);  // a copy of it was delivered
      forget_held(syn);
      flow.flags &= static_cast<uint8_t>(~kFlowHoldsSyn);
      board_.service(flow.key.service).admitted.increment();
    }
    if (flow.state == FlowState::kSynSent) {
      flow.state = FlowState::kOpen;
      flow.guest_next = next;
    }
    return;
  }
  if ((flow.flags & kFlowHoldsSyn) != 0) return;  // guest_next is not in use yet
  if ((parsed.tcp_flags & kTcpRst) == 0) reopen_if_reset(flow);
  if (sequence_after(next, flow.guest_next)) flow.guest_next = next;
  if (parsed.l4_length > parsed.tcp_header_length || (parsed.tcp_flags & kTcpFin) != 0)
    set_owing(flow, false);
  if ((parsed.tcp_flags & kTcpFin) != 0) flow.flags |= kFlowFinFromGuest;
  if ((parsed.tcp_flags & kTcpRst) != 0) close_flow(flow);
}

void Worker::became_ready(SlotIndex index, uint64_t syn_seen_ns, uint64_t syn_delivered_ns) {
  SlotState& slot = slots_[index.value];
  slot.ready = true;
  slot.ready_ns = now_ns_;
  slot.ready_unreported = true;
  ++ready_unreported_;
  slot.offered = nullptr;
  update_membership(index);
  SlotLoad& load = board_.slot(index);
  load.unanswered_since_ns.set(0);
  load.syn_seen_ns.set(syn_seen_ns);
  load.syn_delivered_ns.set(syn_delivered_ns);
  load.syn_ack_ns.set(now_ns_);
}

// The answer to a probe of ours, a late one to a SYN that was given to somebody else meanwhile, or an
// invention.
void Worker::guest_segment_without_flow(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed) {
  board_.slot(index).drops.increment();
  SlotState& slot = slots_[index.value];
  if ((parsed.tcp_flags & kTcpRst) != 0) {
    if (!slot.ready) slot.probe_again_ns = now_ns_ + kProbeAgainAfterResetNs;
    return drop(packet, DropReason::k_guest_no_flow);
  }
  if (is_syn_ack(parsed) && !slot.ready) became_ready(index, 0, 0);
  answer_guest_with_reset(index, packet, parsed);
}

// So that the guest does not keep, and retransmit in, a connection that nobody has.
void Worker::answer_guest_with_reset(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed) {
  const uint16_t length = make_reset_reply(bytes_of(packet), parsed);
  set_length(packet, length);
  header_at<EthernetHeader>(bytes_of(packet), 0).source = kGatewayMac;
  queue_to_guest(index, slots_[index.value], packet);
}

}  // namespace cheshire
