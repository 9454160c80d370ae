// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/guest_segments.h"

namespace cheshire {

void GuestSegments::act(const Turn& turn, SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed,
                        FlowEntry* flow) {
  const Slot& slot = slots_[index.value];
  if (flow == nullptr && links_.untracked->take_from_guest(turn, index, packet, parsed)) return;
  if (flow == nullptr || flow->state == FlowState::kHeld || !(flow->slot == index) ||
      !(flow->generation == slot.generation)) {
    return without_flow(turn, index, packet, parsed);
  }
  of_flow(turn, index, packet, parsed, *flow);
}

// What it says about its flow and its instance, before it leaves.
void GuestSegments::of_flow(const Turn& turn, SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed,
                            FlowEntry& flow) {
  const Slot& slot = slots_[index.value];
  if ((parsed.tcp_flags & kTcpRst) != 0 && flow.flags.has(FlowFlag::kHoldsSyn)) {
    links_.cold_start->offer_was_reset(turn, flow);
    return links_.egress->drop_of(slot, packet, DropReason::k_guest_early_reset);
  }
  const auto& tcp = header_at<TcpHeader>(frame_of(packet).data(), parsed.l4_offset);
  if (is_syn_ack(parsed)) {
    // One that is sent again keeps nothing young: a client that never goes on must not pin its instance.
    links_.report->note_handshake_ended(turn, index, flow.key);
    links_.cold_start->syn_ack_of(turn, index, flow);
    FlowLife::answered(flow, tcp.sequence.value() + tcp_sequence_length(parsed));
  } else {
    links_.flow_life->guest_segment(turn, flow, parsed, tcp);
  }
  links_.egress->send_reply(turn, packet, parsed, slot.service, flow.client_mac, flow.vlan_tci);
}

// The answer to a probe of ours, a late one to a SYN that was given to somebody else meanwhile, or an
// invention.
void GuestSegments::without_flow(const Turn& turn, SlotIndex index, rte_mbuf* packet,
                                 const ParsedPacket& parsed) {
  const Slot& slot = slots_[index.value];
  if ((parsed.tcp_flags & kTcpRst) != 0) {
    links_.cold_start->probe_was_reset(turn, index);
    return links_.egress->drop_of(slot, packet, DropReason::k_guest_no_flow);
  }
  slot.load->drops.increment();
  if (is_syn_ack(parsed)) links_.cold_start->syn_ack_without_flow(turn, index);
  links_.egress->reset_guest(turn, index, packet, parsed);
}

}  // namespace cheshire
