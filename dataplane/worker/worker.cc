// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/worker.h"

#include <rte_mbuf.h>

#include <algorithm>
#include <bit>
#include <span>

namespace cheshire {
namespace {

// Packets rarely wait for housekeeping, decisions do: every turn when idle, every sixteenth under load.
constexpr uint64_t kHousekeepingTurns = 16;
// Guests that take nothing are asked again in turns: each costs an attempt.
constexpr size_t kStuckLooks = 16;

}  // namespace

Worker::Worker(const WorkerOptions& options, const WorkerLinks& links)
    : options_(options),
      nic_(links.nic->queue(options.number)),
      marks_(links.marks),
      pins_(marks_ != nullptr && nic_.receives() ? links.pins : nullptr),
      steering_(*links.steering),
      port_messages_(*links.port_messages),
      load_ring_(*links.load_ring),
      board_(*links.board, options.number),
      doorbell_(links.doorbell),
      finder_(options.number),
      rewrites_(options.services),
      chooser_(options.services, options.slots),
      admission_(options.services, options.slots, options.config, options.cookie_key, options.flow_hash_key),
      flows_(options.config.flows_max, options.flow_hash_key),
      hold_(options.services, options.held_syns_max),
      slots_(options.slots),
      fresh_(options.slots),
      hand_over_(links.hand_over),
      sampler_(options.packets_per_sample, static_cast<uint32_t>(options.number) + 1) {
  CHECK(std::has_single_bit(options.packets_per_sample) && options.packets_per_sample >= 2 * kBurst);
  if (hand_over_ != nullptr) {
    batches_.resize(hand_over_->workers());
    incoming_ = hand_over_->rings_to(options.number);
  }
  for (uint16_t index = 0; index < options.slots; ++index)
    slots_[index].load = &board_.slot(SlotIndex{index});
  for (auto* slots : {&polled_, &to_prove_, &hot_, &stuck_, &touched_}) slots->reserve(options.slots);
  // An instance is swept when its port dies, or when it leaves the table; its successor may be, too, before
  // the first sweep is over.
  sweeps_.reserve(2 * options.slots);
}

Worker::~Worker() {
  // A SYN that was delivered left as that copy; the original is only ours.
  const auto release = [&](HeldSyn* syn) {
    if (syn->was_delivered) return rte_pktmbuf_free(syn->packet);
    drop(syn->packet, DropReason::k_shutdown);
  };
  for (SlotState& slot : slots_) {
    for (; !slot.queue.empty(); slot.queue.pop(1)) drop(*slot.queue.front(), DropReason::k_shutdown);
  }
  for (uint16_t index = 0; index < options_.services; ++index) {
    const ServiceIndex service{index};
    for (HeldSyn* syn = hold_.first_waiting(service); syn != nullptr; syn = hold_.next(syn)) release(syn);
    for (HeldSyn* syn = hold_.first_offered(service); syn != nullptr; syn = hold_.next(syn)) release(syn);
  }
  for (uint16_t i = 0; i < to_clients_count_; ++i) drop(to_clients_[i], DropReason::k_shutdown);
  for (SpscRing<rte_mbuf*>* ring : incoming_) {
    for (rte_mbuf* packet = nullptr; ring->pop(packet); drop(packet, DropReason::k_shutdown)) {
      board_.worker.taken_over.increment();
    }
  }
  sent_.free();
}

bool Worker::turn(uint64_t now_ns) {
  now_ns_ = now_ns;
  board_.worker.turns.increment();
  bool clients_came = receive_from_clients();
  if (!incoming_.empty() && receive_from_workers()) clients_came = true;
  const bool busy = receive_from_guests(clients_came) || clients_came;
  flush_to_guests();
  transmit();
  if (!busy || board_.worker.turns.get() % kHousekeepingTurns == 0) housekeeping();
  sent_.free();
  idle_turns_ = busy ? 0 : idle_turns_ + 1;
  if (!busy) board_.worker.idle_turns.increment();
  return busy;
}

void Worker::housekeeping() {
  take_steering_table();
  take_port_messages();
  advance_sweeps();
  if (hold_.size() != 0) serve_held();
  probe_unproven();
  age_flows();
  if (now_ns_ - load_published_ns_ >= options_.config.publication_ns) publish_load();
  flush_to_guests();
  transmit();
}

// What nearly each batch is where there are more instances than packets in a burst.
[[gnu::always_inline]] inline bool Worker::flush_one(SlotState& slot) {
  rte_mbuf** front = slot.queue.front();
  if (slot.port->to_guest(front, 1) == 0) [[unlikely]]
    return false;
  count_given(slot, 1, sent_.add(front, 1));
  slot.queue.clear();
  return true;
}

[[gnu::always_inline]] inline bool Worker::flush_many(SlotState& slot) {
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
[[gnu::always_inline]] inline bool Worker::flush_slot(SlotIndex index, SlotState& slot) {
  if (slot.queue.empty()) [[unlikely]]
    return true;
  if (!slot.alive()) [[unlikely]]
    return false;  // on standby, its device taken down: what came for it waits
  becomes_hot(index, slot);
  touch(index, slot);
  return slot.queue.size() == 1 ? flush_one(slot) : flush_many(slot);
}

[[gnu::noinline]] void Worker::flush_stuck() {
  for (size_t looks = std::min(stuck_.size(), kStuckLooks); looks > 0; --looks) {
    if (stuck_next_ >= stuck_.size()) stuck_next_ = 0;
    const SlotIndex index = stuck_[stuck_next_];
    SlotState& slot = slots_[index.value];
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

void Worker::flush_to_guests() {
  if (!stuck_.empty()) flush_stuck();
  for (const SlotIndex index : std::span(fresh_).first(fresh_count_)) {
    SlotState& slot = slots_[index.value];
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

// A packet that is queued and leaves in the same turn is never counted as held.
void Worker::count_queued(SlotState& slot) {
  board_.worker.held_packets.add(uint64_t{slot.queue.size()} - slot.queue_counted);
  slot.queue_counted = slot.queue.size();
}

[[gnu::noinline]] void Worker::wakes(SlotIndex index, const SlotState& slot) {
  if (board_.slot(index).wake_since_ns.get() != 0) return;
  board_.slot(index).wake_since_ns.set(now_ns_);
  tell(LoadEdge::kWake, slot.service, index);
}

[[gnu::noinline]] void Worker::drop_for_full_ring(SlotIndex index, rte_mbuf* packet) {
  board_.slot(index).drops.increment();
  drop(packet, DropReason::k_guest_ring_full);
}

void Worker::send_to_client(rte_mbuf* packet) {
  if (to_clients_count_ == to_clients_.size()) transmit();
  to_clients_[to_clients_count_++] = packet;
}

void Worker::transmit() {
  if (to_clients_count_ != 0) {
    const uint16_t sent = nic_.transmit(to_clients_.data(), to_clients_count_);
    board_.worker.nic_tx_packets.add(sent);
    for (uint16_t i = sent; i < to_clients_count_; ++i) drop(to_clients_[i], DropReason::k_nic_tx_full);
    to_clients_count_ = 0;
    if (rejections_in_turn_ != 0) time_rejections();
  }
  if (ready_unreported_ != 0) report_ready();
}

// The first SYN-ACK of an instance has left: only now is the time of its start whole, and told.
[[gnu::noinline]] void Worker::report_ready() {
  const uint64_t on_wire_ns = monotonic_ns();
  for (const SlotIndex index : polled_) {
    SlotState& slot = slots_[index.value];
    if (!slot.ready_unreported) continue;
    slot.ready_unreported = false;
    SlotLoad& load = board_.slot(index);
    load.on_wire_ns.set(on_wire_ns);
    load.ready_generation.publish(slot.generation.value);
    tell(LoadEdge::kReady, slot.service, index);
  }
  ready_unreported_ = 0;
}

void Worker::drop(rte_mbuf* packet, DropReason reason) {
  board_.worker.drops[static_cast<size_t>(reason)].increment();
  rte_pktmbuf_free(packet);
}

}  // namespace cheshire
