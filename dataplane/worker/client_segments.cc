// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/client_segments.h"

#include "dataplane/packet/answer.h"

namespace cheshire {

void ClientSegments::act(const Turn& turn, PacketBurst& burst, uint16_t i) {
  if (!is_segment(burst.steps[i]))
    return answer_or_drop(turn, burst.steps[i], burst.packets[i], burst.parsed[i]);
  const FlowKey& key = burst.keys[i];
  // Before any flow is asked: the answer to a challenge may come late, when its client has a flow by another way, or an
  // earlier flow without an entry had this very address and port. It is no reset of either.
  if ((burst.parsed[i].tcp_flags & kTcpRst) != 0 &&
      links_.admission->take_proof(turn, burst.packets[i], burst.parsed[i], key)) {
    return;
  }
  FlowEntry* flow = links_.flow_life->table().find(burst.places[i], key, burst.candidates[i]);
  if (flow == nullptr) return without_flow(turn, burst.packets[i], burst.parsed[i], key);
  of_flow(turn, burst.packets[i], burst.parsed[i], *flow);
}

void ClientSegments::answer_or_drop(const Turn& turn, Step step, rte_mbuf* packet,
                                    const ParsedPacket& parsed) {
  switch (step) {
    case Step::kForeign:  // not ours any more
    case Step::kSegment:  // not here
    case Step::kPlainSegment:
      break;
    case Step::kDrop:
      return links_.egress->drop(packet, parsed.reason);
    case Step::kNoService:
      return without_service(turn, packet, parsed);
    case Step::kAnswerArp:
      make_arp_reply(frame_of(packet).data(), parsed, links_.egress->nic_mac());
      return links_.egress->send_to_client(turn, packet);
    case Step::kAnswerEcho:
      make_echo_reply(frame_of(packet).data(), parsed, links_.egress->nic_mac());
      return links_.egress->send_to_client(turn, packet);
  }
}

void ClientSegments::without_service(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed) {
  if ((parsed.tcp_flags & kTcpRst) != 0) return links_.egress->drop(packet, DropReason::k_no_flow_reset);
  board_.worker.resets_no_service.increment();
  links_.egress->reset_client(turn, packet, parsed);
}

void ClientSegments::without_flow(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed,
                                  const FlowKey& key) {
  if (is_new_syn(parsed)) return steer(turn, packet, parsed, key);
  if (links_.untracked->take_from_client(turn, packet, parsed, key)) return;
  if ((parsed.tcp_flags & kTcpRst) != 0) return links_.egress->drop(packet, DropReason::k_no_flow_reset);
  if (turn.service(key.service).rules().action == OverloadAction::kHttp503) {
    return links_.admission->refuse_by_http(turn, packet, parsed, key);
  }
  board_.worker.resets_no_flow.increment();
  links_.egress->reset_client(turn, packet, parsed);
}

void ClientSegments::of_flow(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, FlowEntry& flow) {
  FlowLife& flow_life = *links_.flow_life;
  if (flow.state == FlowState::kHeld) return links_.cold_start->client_segment(turn, packet, parsed, flow);
  if (!flow_life.is_current(flow)) return of_lost_flow(turn, packet, parsed, flow);
  const bool holds_syn = flow.flags.has(FlowFlag::kHoldsSyn);
  if (is_new_syn(parsed)) {
    // We offer the SYN again ourselves until the instance has shown that it is ready.
    if (holds_syn) return links_.cold_start->client_segment(turn, packet, parsed, flow);
    // The client reuses its port: a new connection, steered afresh.
    if (flow.state == FlowState::kClosing || flow_life.is_forgotten_by_client(turn, flow)) {
      const FlowKey key = flow.key;
      flow_life.erase(turn, flow);
      return steer(turn, packet, parsed, key);
    }
  }
  if (holds_syn && (parsed.tcp_flags & kTcpRst) != 0) links_.cold_start->client_gave_up_offered(flow);
  const uint8_t* frame = frame_of(packet).data();
  flow_life.client_segment(turn, flow, parsed, header_at<EthernetHeader>(frame, 0),
                           header_at<TcpHeader>(frame, parsed.l4_offset));
  links_.egress->forward_to_guest(turn, packet, parsed, flow.key.service, flow.slot);
}

// The instance is gone, the sweep that forgets its flows has not come by yet.
void ClientSegments::of_lost_flow(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, FlowEntry& flow) {
  if (flow.flags.has(FlowFlag::kHoldsSyn)) {
    links_.cold_start->withdraw(turn, flow);
    return links_.cold_start->client_segment(turn, packet, parsed, flow);
  }
  const FlowKey key = flow.key;
  links_.flow_life->erase(turn, flow);
  without_flow(turn, packet, parsed, key);
}

void ClientSegments::steer(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key) {
  board_.service(key.service).syns.increment();
  // Those who came before and wait go first.
  if (links_.hold->waiting(key.service) != 0) links_.cold_start->serve(turn, key.service);
  const Chooser::Choice choice = links_.admission->choose(turn, key);
  if (links_.admission->must_prove(turn, key, choice)) {
    return links_.admission->challenge(turn, packet, parsed, key);
  }
  if (choice.outcome != Chooser::Outcome::kChosen || links_.hold->waiting(key.service) != 0) {
    return links_.cold_start->hold(turn, packet, parsed, key, choice.outcome);
  }
  FlowEntry* flow =
      links_.flow_life->insert(key, parsed, header_at<EthernetHeader>(frame_of(packet).data(), 0));
  if (flow == nullptr) return links_.untracked->begin(turn, packet, parsed, key);
  links_.flow_life->give(turn, *flow, choice.slot);
  board_.service(key.service).admitted.increment();
  links_.report->note_handshake_began(turn, choice.slot, key);
  links_.egress->forward_to_guest(turn, packet, parsed, key.service, choice.slot);
}

}  // namespace cheshire
