// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From the guests: a guest is hostile until each packet has shown otherwise. It may speak from its own MAC,
// address and port only, and only in flows that it was given.
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <cstring>

#include "dataplane/answer.h"
#include "dataplane/worker.h"

namespace cheshire {
namespace {

uint8_t* bytes_of(rte_mbuf* packet) {
  return rte_pktmbuf_mtod(packet, uint8_t*);
}

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

bool sequence_after(uint32_t a, uint32_t b) {
  return static_cast<int32_t>(a - b) > 0;
}

}  // namespace

bool Worker::receive_from_guests() {
  bool busy = false;
  std::array<rte_mbuf*, kBurst> packets;
  for (const SlotIndex index : polled_) {
    SlotState& slot = slots_[index.value];
    const uint16_t count = slot.port->from_guest(options_.pool, packets.data(), kBurst);
    if (count == 0) continue;
    busy = true;
    slot.touched = true;
    SlotLoad& load = board_.slot(index);
    load.packets_from_guest.add(count);
    board_.worker.packets_from_guest.add(count);
    uint64_t bytes = 0;
    for (uint16_t i = 0; i < count; ++i) {
      rte_prefetch0(bytes_of(packets[i]));
      bytes += packets[i]->pkt_len;
    }
    load.bytes_from_guest.add(bytes);
    for (uint16_t i = 0; i < count; ++i) guest_packet(index, packets[i]);
  }
  return busy;
}

void Worker::guest_packet(SlotIndex index, rte_mbuf* packet) {
  const auto refuse = [&](DropReason reason) {
    board_.slot(index).drops.increment();
    drop(packet, reason);
  };
  if (packet->nb_segs != 1) return refuse(DropReason::k_oversize);
  // The client checks the sums; a guest that sends wrong ones harms only itself.
  const ParsedPacket parsed = parse_frame({bytes_of(packet), packet->data_len}, {.ipv4 = true, .l4 = true});
  const auto& ethernet = header_at<EthernetHeader>(bytes_of(packet), 0);

  switch (parsed.kind) {
    case PacketKind::kDrop:
    case PacketKind::kIcmpEcho:
      return refuse(DropReason::k_guest_bad_packet);
    case PacketKind::kArp:
      // Whoever it asks for, we are its whole network.
      if (!(ethernet.source == kGuestMac)) return refuse(DropReason::k_guest_spoofed);
      if (parsed.vlan_tci != kNoVlan) return refuse(DropReason::k_guest_bad_packet);
      make_arp_reply(bytes_of(packet), parsed, kGatewayMac);
      return queue_to_guest(index, packet);
    case PacketKind::kTcp:
      if (parsed.vlan_tci != kNoVlan) return refuse(DropReason::k_guest_bad_packet);
      return guest_segment(index, packet, parsed);
  }
}

void Worker::guest_segment(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed) {
  const SlotState& slot = slots_[index.value];
  const SteeringService& service = table_->value.service(slot.service);
  const uint8_t* frame = bytes_of(packet);
  const auto& ethernet = header_at<EthernetHeader>(frame, 0);
  const auto& ip = header_at<Ipv4Header>(frame, parsed.l3_offset);
  const auto& tcp = header_at<TcpHeader>(frame, parsed.l4_offset);
  if (!(ethernet.source == kGuestMac) || !(ip.source == service.guest_ip) ||
      !(tcp.source_port == service.guest_port)) {
    board_.slot(index).drops.increment();
    return drop(packet, DropReason::k_guest_spoofed);
  }
  FlowEntry* flow = flows_.find({ip.destination, tcp.destination_port, slot.service});
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
  note_guest_segment(index, *flow, parsed, tcp);

  rte_mbuf* out = packet;
  out->data_len = parsed.frame_length;
  out->pkt_len = parsed.frame_length;
  rewrites_[slot.service.value].from_guest(bytes_of(out), parsed, nic_.mac(), flow->client_mac);
  if (flow->vlan_tci != kNoVlan && !insert_vlan(out, flow->vlan_tci)) {
    return drop(out, DropReason::k_oversize);
  }
  send_to_client(out);
}

// What a segment says about its flow and its instance, before it leaves.
void Worker::note_guest_segment(SlotIndex index, FlowEntry& flow, const ParsedPacket& parsed,
                                const TcpHeader& tcp) {
  // A SYN-ACK that is sent again keeps nothing young: a client that never goes on must not pin its instance.
  if (!is_syn_ack(parsed)) flow.last_seen = flow_time(now_ns_);
  const uint32_t next = tcp.sequence.value() + tcp_sequence_length(parsed);
  if (is_syn_ack(parsed)) {
    HeldSyn* syn = (flow.flags & kFlowHoldsSyn) != 0 ? held_syn_of(flow) : nullptr;
    if (!slots_[index.value].ready) {
      became_ready(index, syn != nullptr ? syn->arrival_ns : 0, syn != nullptr ? syn->first_offered_ns : 0);
    }
    if (syn != nullptr) {
      rte_pktmbuf_free(syn->packet);  // a copy of it was delivered
      forget_held(syn);
      flow.flags &= static_cast<uint8_t>(~kFlowHoldsSyn);
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
  slot.ready_unreported = true;
  ++ready_unreported_;
  slot.offered = nullptr;
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
  packet->data_len = length;
  packet->pkt_len = length;
  header_at<EthernetHeader>(bytes_of(packet), 0).source = kGatewayMac;
  queue_to_guest(index, packet);
}

}  // namespace cheshire
