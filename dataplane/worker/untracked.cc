// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/untracked.h"

namespace cheshire {

void Untracked::begin(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key) {
  until_ns_ = turn.now_ns + remember_ns_;
  const Chooser::Choice choice = chooser_.choose_by_hash(key.service, steering_hash_(key), true);
  if (choice.outcome != Chooser::Outcome::kChosen) return egress_.drop(packet, DropReason::k_flow_table_full);
  forward(turn, packet, parsed, key, choice.slot);
}

bool Untracked::take_from_client(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed,
                                 const FlowKey& key) {
  if (turn.now_ns >= until_ns_) return false;
  const uint64_t hash = steering_hash_(key);
  if (const ReturnPath* path = paths_.find(hash, key)) {
    const Slot& slot = slots_[path->slot.value];
    if (slot.alive() && slot.generation == path->generation) {
      forward(turn, packet, parsed, key, path->slot);
      return true;
    }
  }
  // Pushed out, or not of ours: the instance that hashing names knows. Not where segments without a flow are
  // answered by us, nor a reset, which would not be missed.
  const bool answered_by_us = turn.service(key.service).rules().action == OverloadAction::kHttp503;
  if (answered_by_us || (parsed.tcp_flags & kTcpRst) != 0) return false;
  const Chooser::Choice choice = chooser_.choose_by_hash(key.service, hash, false);
  if (choice.outcome != Chooser::Outcome::kChosen) return false;
  forward(turn, packet, parsed, key, choice.slot);
  return true;
}

bool Untracked::take_from_guest(const Turn& turn, SlotIndex index, rte_mbuf* packet,
                                const ParsedPacket& parsed) {
  if (turn.now_ns >= until_ns_) return false;
  const Slot& slot = slots_[index.value];
  const uint8_t* frame = frame_of(packet).data();
  const auto& ip = header_at<Ipv4Header>(frame, parsed.l3_offset);
  const auto& tcp = header_at<TcpHeader>(frame, parsed.l4_offset);
  const FlowKey key{ip.destination, tcp.destination_port, slot.service};
  const ReturnPath* path = paths_.find(steering_hash_(key), key);
  if (path == nullptr || !(path->slot == index) || !(path->generation == slot.generation)) return false;
  egress_.send_reply(turn, packet, parsed, slot.service, path->client_mac, path->vlan_tci);
  return true;
}

void Untracked::forward(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key,
                        SlotIndex slot) {
  paths_.place(steering_hash_(key)) = {
      .key = key,
      .generation = slots_[slot.value].generation,
      .slot = slot,
      .vlan_tci = parsed.vlan_tci,
      .client_mac = header_at<EthernetHeader>(frame_of(packet).data(), 0).source};
  board_.worker.untracked.increment();
  egress_.forward_to_guest(turn, packet, parsed, key.service, slot);
}

}  // namespace cheshire
