// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Flows without an entry, because the flow table was full when they began: return_paths.h says how they are
// served, docs/architecture.md what they lack.
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/worker.h"

namespace cheshire {

uint64_t Worker::flow_hash(const FlowKey& key) const {
  return siphash13(options_.flow_hash_key, key.as_integer());
}

// Its SYN found no room.
void Worker::begin_untracked(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key) {
  untracked_until_ns_ = now_ns_ + options_.config.idle_timeout_ns;
  const Chooser::Choice choice = chooser_.choose_by_hash(key.service, flow_hash(key), true);
  if (choice.outcome != Chooser::Outcome::kChosen) return drop(packet, DropReason::k_flow_table_full);
  forward_untracked(packet, parsed, key, choice.slot);
}

// Whether it may be of a flow that began without an entry, and went to its instance.
bool Worker::take_untracked(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key) {
  if (now_ns_ >= untracked_until_ns_) return false;
  const uint64_t hash = flow_hash(key);
  if (const ReturnPath* path = return_paths_.find(hash, key)) {
    const SlotState& slot = slots_[path->slot.value];
    if (slot.alive() && slot.generation == path->generation) {
      forward_untracked(packet, parsed, key, path->slot);
      return true;
    }
  }
  // Pushed out, or not of ours: the instance that hashing names knows. Not where segments without a flow are
  // answered by us, nor a reset, which would not be missed.
  const bool answered_by_us = table_->value.service(key.service).rules().action == OverloadAction::kHttp503;
  if (answered_by_us || (parsed.tcp_flags & kTcpRst) != 0) return false;
  const Chooser::Choice choice = chooser_.choose_by_hash(key.service, hash, false);
  if (choice.outcome != Chooser::Outcome::kChosen) return false;
  forward_untracked(packet, parsed, key, choice.slot);
  return true;
}

void Worker::forward_untracked(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key, SlotIndex slot) {
  return_paths_.place(flow_hash(key)) = {.key = key,
                                         .generation = slots_[slot.value].generation,
                                         .slot = slot,
                                         .vlan_tci = parsed.vlan_tci,
                                         .client_mac = header_at<EthernetHeader>(bytes_of(packet), 0).source};
  board_.worker.untracked.increment();
  forward_to_guest(packet, parsed, key.service, slot);
}

// A guest's segment without a flow: whether it is the answer in such a one, and on its way to the client.
bool Worker::reply_untracked(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed) {
  if (now_ns_ >= untracked_until_ns_) return false;
  const SlotState& slot = slots_[index.value];
  const auto& ip = header_at<Ipv4Header>(bytes_of(packet), parsed.l3_offset);
  const auto& tcp = header_at<TcpHeader>(bytes_of(packet), parsed.l4_offset);
  const FlowKey key{ip.destination, tcp.destination_port, slot.service};
  const ReturnPath* path = return_paths_.find(flow_hash(key), key);
  if (path == nullptr || !(path->slot == index) || !(path->generation == slot.generation)) return false;
  send_reply(packet, parsed, slot.service, path->client_mac, path->vlan_tci);
  return true;
}

}  // namespace cheshire
