// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/egress.h"

#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "check.h"
#include "dataplane/packet/answer.h"
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/sent_packets_inline.h"

namespace cheshire {
namespace {

// Guests that take nothing are asked again in turns: each costs an attempt.
constexpr size_t kStuckLooks = 16;

// Takes the VLAN tag out: guests live on an untagged network of their own.
void strip_vlan(rte_mbuf* packet, ParsedPacket& parsed) {
  uint8_t* frame = bytes_of(packet);
  std::memmove(frame + sizeof(VlanTag), frame, 2 * sizeof(MacAddress));
  rte_pktmbuf_adj(packet, sizeof(VlanTag));
  for (uint16_t* position : {&parsed.l3_offset, &parsed.l4_offset, &parsed.frame_length}) {
    *position = static_cast<uint16_t>(*position - sizeof(VlanTag));
  }
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

}  // namespace

std::span<uint8_t> frame_of(rte_mbuf* packet) {
  return {bytes_of(packet), packet->data_len};
}

size_t room_of(const rte_mbuf* packet) {
  return static_cast<size_t>(packet->buf_len) - packet->data_off;
}

Egress::Egress(const NicQueue& nic, rte_mempool* pool, size_t services, const WorkerBoard& board,
               SlotArray& slots, LoadReport& report, GuestPoll& poll)
    : nic_(nic),
      pool_(pool),
      board_(board),
      slots_(slots),
      report_(report),
      poll_(poll),
      rewrites_(services),
      fresh_(slots.size()) {
  stuck_.reserve(slots.size());
}

Egress::~Egress() {
  for (Slot& slot : slots_) {
    for (; !slot.queue.empty(); slot.queue.pop(1)) drop(*slot.queue.front(), DropReason::k_shutdown);
    count_queued(slot);
  }
  for (uint16_t i = 0; i < to_clients_count_; ++i) drop(to_clients_[i], DropReason::k_shutdown);
  free_sent();
}

rte_mbuf* Egress::new_packet(uint16_t length) {
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  if (packet == nullptr) {
    board_.worker.no_memory.increment();
    return nullptr;
  }
  set_length(packet, length);
  board_.worker.generated.increment();
  return packet;
}

void Egress::forward_to_guest(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, ServiceIndex service,
                              SlotIndex index) {
  Slot& slot = slots_[index.value];
  if (parsed.l4_length > parsed.tcp_header_length || (parsed.tcp_flags & (kTcpSyn | kTcpFin)) != 0) {
    report_.note_asked(turn, slot);
  }
  set_length(packet, parsed.frame_length);
  if (parsed.vlan_tci != kNoVlan) strip_vlan(packet, parsed);
  rewrites_[service.value].to_guest(bytes_of(packet), parsed);
  queue_to_guest(turn, index, slot, packet);
}

void Egress::reset_guest(const Turn& turn, SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed) {
  set_length(packet, make_reset_reply(bytes_of(packet), parsed));
  header_at<EthernetHeader>(bytes_of(packet), 0).source = kGatewayMac;
  queue_to_guest(turn, index, slots_[index.value], packet);
}

// What nearly each batch is where there are more instances than packets in a burst.
[[gnu::always_inline]] inline bool Egress::flush_one(Slot& slot) {
  rte_mbuf** front = slot.queue.front();
  if (slot.port->to_guest(front, 1) == 0) [[unlikely]]
    return false;
  count_given(slot, 1, sent_.add(front, 1));
  slot.queue.clear();
  return true;
}

[[gnu::always_inline]] inline bool Egress::flush_many(Slot& slot) {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint16_t count = 0;
  uint16_t sent = 0;
  do {
    count = static_cast<uint16_t>(slot.queue.contiguous());
    rte_mbuf** front = slot.queue.front();
    sent = slot.port->to_guest(front, count);
    bytes += sent_.add(front, sent);
    packets += sent;
    slot.queue.pop(sent);
    // Less than it was offered: its ring is full, and the rest waits for its next buffers.
  } while (sent == count && !slot.queue.empty());
  count_given(slot, packets, bytes);
  return slot.queue.empty();
}

// Whether its queue is empty now. In line: with many instances it is done for each packet.
[[gnu::always_inline]] inline bool Egress::flush_slot(SlotIndex index, Slot& slot) {
  if (slot.queue.empty()) [[unlikely]]
    return true;
  if (!slot.alive()) [[unlikely]]
    return false;  // on standby, its device taken down: what came for it waits
  poll_.becomes_hot(index, slot);
  report_.touch(index, slot);
  return slot.queue.size() == 1 ? flush_one(slot) : flush_many(slot);
}

[[gnu::noinline]] void Egress::flush_stuck() {
  for (size_t looks = std::min(stuck_.size(), kStuckLooks); looks > 0; --looks) {
    if (stuck_next_ >= stuck_.size()) stuck_next_ = 0;
    const SlotIndex index = stuck_[stuck_next_];
    Slot& slot = slots_[index.value];
    slot.to_flush = !flush_slot(index, slot);
    count_queued(slot);
    if (slot.to_flush) {
      ++stuck_next_;
      continue;
    }
    slot.stuck = false;
    stuck_[stuck_next_] = stuck_.back();
    stuck_.pop_back();
  }
}

void Egress::flush_to_guests() {
  if (!stuck_.empty()) flush_stuck();
  for (const SlotIndex index : std::span(fresh_).first(fresh_count_)) {
    Slot& slot = slots_[index.value];
    slot.to_flush = !flush_slot(index, slot);
    if (!slot.to_flush) [[likely]]
      continue;
    count_queued(slot);
    slot.stuck = true;
    stuck_.push_back(index);
  }
  fresh_count_ = 0;
  board_.worker.packets_to_guest.add(flushed_);
  flushed_ = 0;
}

void Egress::drop_queue(Slot& slot) {
  for (; !slot.queue.empty(); slot.queue.pop(1)) drop_of(slot, *slot.queue.front(), DropReason::k_guest_gone);
  count_queued(slot);
}

void Egress::count_queued(Slot& slot) {
  board_.worker.held_packets.add(uint64_t{slot.queue.size()} - slot.queue_counted);
  slot.queue_counted = slot.queue.size();
}

[[gnu::noinline]] void Egress::tell_wake(const Turn& turn, SlotIndex index, const Slot& slot) {
  if (slot.load->wake_since_ns.get() != 0) return;
  slot.load->wake_since_ns.set(turn.now_ns);
  report_.tell(turn, LoadEdge::kWake, slot.service, index);
}

[[gnu::noinline]] void Egress::drop_for_full_queue(Slot& slot, rte_mbuf* packet) {
  drop_of(slot, packet, DropReason::k_guest_ring_full);
}

void Egress::send_reply(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, ServiceIndex service,
                        const MacAddress& client_mac, uint16_t vlan_tci) {
  set_length(packet, parsed.frame_length);
  rewrites_[service.value].from_guest(bytes_of(packet), parsed, nic_.mac(), client_mac);
  if (vlan_tci != kNoVlan && !insert_vlan(packet, vlan_tci)) return drop(packet, DropReason::k_oversize);
  send_to_client(turn, packet);
}

void Egress::answer(const Turn& turn, rte_mbuf* packet, uint16_t length) {
  set_length(packet, length);
  send_to_client(turn, packet);
}

void Egress::reset_client(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed) {
  answer(turn, packet, make_reset_reply(bytes_of(packet), parsed));
}

void Egress::reset_lost_flow(const Turn& turn, const FlowEntry& flow) {
  slots_[flow.slot.value].load->resets_to_client.increment();
  rte_mbuf* packet = new_packet(0);
  if (packet == nullptr) return;
  const SteeringService& service = turn.service(flow.key.service);
  set_length(packet, write_reset(bytes_of(packet), {.nic_mac = nic_.mac(),
                                                    .client_mac = flow.client_mac,
                                                    .vlan_tci = flow.vlan_tci,
                                                    .vip = service.vip,
                                                    .vip_port = service.port,
                                                    .client_ip = flow.key.client_ip,
                                                    .client_port = flow.key.client_port,
                                                    .sequence = flow.guest_next}));
  send_to_client(turn, packet);
}

void Egress::transmit(const Turn& turn) {
  if (to_clients_count_ == 0) return;
  const uint16_t sent = nic_.transmit(to_clients_.data(), to_clients_count_);
  board_.worker.nic_tx_packets.add(sent);
  for (uint16_t i = sent; i < to_clients_count_; ++i) drop(to_clients_[i], DropReason::k_nic_tx_full);
  to_clients_count_ = 0;
  if (rejections_ != 0) time_rejections(turn);
}

// After they were given to the NIC: how long this turn's rejections took.
void Egress::time_rejections(const Turn& turn) {
  const uint64_t left_ns = monotonic_ns();
  const uint64_t us = (left_ns - std::min(turn.now_ns, left_ns)) / kNsPerUs;
  const auto* bound = std::lower_bound(kRejectionBoundsUs.begin(), kRejectionBoundsUs.end(), us);
  board_.worker.rejections_within[static_cast<size_t>(std::distance(kRejectionBoundsUs.begin(), bound))].add(
      rejections_);
  rejections_ = 0;
}

void Egress::drop(rte_mbuf* packet, DropReason reason) {
  board_.worker.drops[static_cast<size_t>(reason)].increment();
  rte_pktmbuf_free(packet);
}

void Egress::park(HeldSyn& syn, rte_mbuf* packet, const ParsedPacket& parsed) {
  set_length(packet, parsed.frame_length);
  syn.packet = packet;
  syn.l4_offset = parsed.l4_offset;
  board_.worker.held_packets.increment();
}

void Egress::replace_parked(HeldSyn& syn, rte_mbuf* packet, const ParsedPacket& parsed) {
  drop_parked(syn, DropReason::k_client_gave_up);
  syn.was_delivered = false;
  park(syn, packet, parsed);
}

rte_mbuf* Egress::copy_parked(HeldSyn& syn) {
  rte_mbuf* copy = rte_pktmbuf_copy(syn.packet, pool_, 0, UINT32_MAX);
  if (copy == nullptr) {
    board_.worker.no_memory.increment();
    return nullptr;
  }
  if (syn.was_delivered) {
    board_.worker.generated.increment();
  } else {
    syn.was_delivered = true;
    board_.worker.held_packets.decrement();
  }
  return copy;
}

rte_mbuf* Egress::take_parked(const HeldSyn& syn) {
  if (syn.was_delivered) {
    board_.worker.generated.increment();
  } else {
    board_.worker.held_packets.decrement();
  }
  return syn.packet;
}

void Egress::drop_parked(const HeldSyn& syn, DropReason reason) {
  if (syn.was_delivered) return rte_pktmbuf_free(syn.packet);
  board_.worker.held_packets.decrement();
  drop(syn.packet, reason);
}

void Egress::forget_delivered(const HeldSyn& syn) {
  CHECK(syn.was_delivered);  // it was offered, so that somebody has a copy
  rte_pktmbuf_free(syn.packet);
}

void Egress::free_sent() {
  sent_.free();
}

}  // namespace cheshire
