// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What changes from outside (steering table, ports coming and going) and what time brings (ageing, sweeps).
#include <rte_mbuf.h>

#include <algorithm>
#include <utility>

#include "check.h"
#include "dataplane/packet/answer.h"
#include "dataplane/worker/worker.h"

namespace cheshire {
namespace {

// Per housekeeping: enough to take a million flows away in some 100 rounds, few enough not to be felt.
constexpr size_t kSweepBuckets = 512;
constexpr size_t kAgeBucketsMax = 256;
constexpr uint64_t kAgeRoundNs = kNsPerSecond;  // each flow is looked at once in that time

}  // namespace

// Acts on what is different, so that a decision about one instance costs nothing for the others.
void Worker::take_steering_table() {
  const auto* latest = steering_.latest();
  if (latest == nullptr || latest->version == table_version_) return;
  const SteeringTable& next = latest->value;
  const auto* before = std::exchange(table_, latest);  // good until it is passed
  finder_.use(&next);
  const bool same_services = before != nullptr && before->value.has_services_of(next);
  if (!same_services) {
    for (uint16_t index = 0; index < next.services().size(); ++index) {
      const SteeringService& service = next.service(ServiceIndex{index});
      rewrites_[index] = ServiceRewrite(service);
      chooser_.configure(ServiceIndex{index}, service);
    }
  }
  for (uint16_t index = 0; index < slots_.size(); ++index) {
    const SteeringSlot& wanted = next.slot(SlotIndex{index});
    if (same_services && before->value.slot(SlotIndex{index}) == wanted) continue;
    take_slot(SlotIndex{index}, wanted);
  }
  rebuild_polled();
  table_version_ = latest->version;
  steering_.pass(options_.number, table_version_);
}

void Worker::take_slot(SlotIndex index, const SteeringSlot& listed) {
  // What another worker owns is nobody here.
  const bool mine = listed.generation.value != 0 && is_mine(listed.service);
  const SteeringSlot wanted = mine ? listed : SteeringSlot{};
  SlotState& slot = slots_[index.value];
  if (!(slot.generation == wanted.generation)) {
    if (slot.generation.value != 0) end_instance(index);
    if (wanted.generation.value != 0) begin_instance(index, wanted);
  }
  change_role(index, wanted.role);
  if (wanted.generation.value != 0) update_limit(index);
  update_membership(index);
}

void Worker::begin_instance(SlotIndex index, const SteeringSlot& wanted) {
  SlotState& slot = slots_[index.value];
  slot.generation = slot.living = wanted.generation;
  slot.service = wanted.service;
  slot.role = wanted.role;
  slot.ready = false;
  slot.soft_limit_told = false;
  slot.probe_again_ns = 0;
  slot.asked_ns = 0;
  slot.heard_ns = now_ns_;
  slot.owing = 0;
  slot.timed_since_ns = 0;
  slot.stall_told = false;
  chooser_.begin(slot.service, index);
  begin_limit(index);
  set_in_flight(index, 0);
  slot.in_flight_peak = 0;
  board_.slot(index).queue_delay_ns.set(0);
  board_.slot(index).flows_owing.set(0);
  board_.slot(index).wake_since_ns.set(0);
  board_.slot(index).silent_since_ns.set(0);
  attach_if_expected(index);
}

void Worker::change_role(SlotIndex index, SlotRole role) {
  SlotState& slot = slots_[index.value];
  if (slot.role == role) return;
  slot.role = role;
  if (role != SlotRole::kStandby) return;
  // When it comes back it has to show anew that it is ready.
  slot.ready = false;
  slot.probe_again_ns = 0;
  SlotLoad& load = board_.slot(index);
  load.unanswered_since_ns.set(0);
  // A packet that came just before is for a guest that will not see it before it is woken.
  load.wake_since_ns.set(slot.queue.empty() ? 0 : now_ns_);
  load.ready_generation.publish(0);
}

void Worker::end_instance(SlotIndex index) {
  SlotState& slot = slots_[index.value];
  if (slot.exists()) {
    detach(index);
    begin_sweep({index, slot.generation});
  }
  // What the sweep will take is no longer in flight anywhere: the slot's next instance begins with nothing.
  chooser_.remove(index);
  set_in_flight(index, 0);
  slot.generation = slot.living = Generation{};
  slot.role = SlotRole::kEmpty;
  slot.ready = false;
}

void Worker::take_port_messages() {
  PortMessage message;
  bool changed = false;
  while (port_messages_.pop(message)) {
    const SlotIndex index{message.slot};
    SlotState& slot = slots_[message.slot];
    changed = true;
    if (message.kind == PortMessage::Kind::kUp) {
      // Told to all workers; the slot's row is written by its owner.
      slot.port = message.port;
      slot.up = message;
      attach_if_expected(index);
      continue;
    }
    port_down(index);
    // Taken out of polled_ before the sender may go on and free what is behind the port.
    rebuild_polled();
    downs_acknowledged_.publish(downs_acknowledged_.get() + 1);
  }
  if (changed) rebuild_polled();
}

void Worker::port_down(SlotIndex index) {
  SlotState& slot = slots_[index.value];
  if (slot.alive() && slot.role == SlotRole::kStandby) {
    // Some VMMs take the device down with the vCPU. Its flows stay, and what comes for them is queued.
    board_.slot(index).attached_generation.publish(0);
  } else if (slot.alive()) {
    detach(index);
    slot.living = Generation{};
    chooser_.remove(index);
    begin_sweep({index, slot.generation});
    board_.slot(index).dead_generation.publish(slot.generation.value);
    tell(LoadEdge::kDead, slot.service, index);
  }
  slot.port = nullptr;
}

void Worker::attach_if_expected(SlotIndex index) {
  SlotState& slot = slots_[index.value];
  if (!slot.alive()) return;
  SlotLoad& load = board_.slot(index);
  load.connected_ns.set(slot.up.connected_ns);
  load.ring_up_ns.set(slot.up.ring_up_ns);
  load.messages_ns.set(slot.up.messages_ns);
  load.attached_generation.publish(slot.generation.value);
  tell(LoadEdge::kAttached, slot.service, index);
}

// No packet goes to this instance any more; what was queued for it has nowhere to go.
void Worker::detach(SlotIndex index) {
  SlotState& slot = slots_[index.value];
  for (; !slot.queue.empty(); slot.queue.pop(1)) {
    board_.slot(index).drops.increment();
    drop(*slot.queue.front(), DropReason::k_guest_gone);
  }
  count_queued(slot);
  if (slot.ready_unreported) {
    slot.ready_unreported = false;
    --ready_unreported_;
  }
  board_.slot(index).attached_generation.publish(0);
  board_.slot(index).unanswered_since_ns.set(0);
}

// After every change of who is alive, and of roles. Within what was reserved at start.
void Worker::rebuild_polled() {
  polled_.clear();
  to_prove_.clear();
  for (uint16_t index = 0; index < slots_.size(); ++index) {
    const SlotState& slot = slots_[index];
    if (!slot.alive()) continue;
    polled_.push_back(SlotIndex{index});
    const bool wanted = slot.role == SlotRole::kAccepting || slot.role == SlotRole::kWarming;
    if (wanted && !slot.ready) to_prove_.push_back(SlotIndex{index});
  }
}

void Worker::begin_sweep(InstanceId instance) {
  // The bound is hit only if instances come and go faster than the table is swept: then the oldest is
  // finished at once, which takes as long as it takes.
  while (sweeps_.size() == sweeps_.capacity()) advance_sweeps();
  sweeps_.push_back({instance, 0});
  board_.worker.sweeps_begun.increment();
}

void Worker::advance_sweeps() {
  if (sweeps_.empty()) return;
  Sweep& sweep = sweeps_.front();
  sweep.cursor = flows_.sweep(sweep.cursor, kSweepBuckets, [&](FlowEntry& flow) {
    if (flow.state != FlowState::kHeld && flow.slot == sweep.instance.slot &&
        flow.generation == sweep.instance.generation) {
      lose_flow(flow);
    }
  });
  if (sweep.cursor != 0) return;
  board_.slot(sweep.instance.slot).swept_generation.publish(sweep.instance.generation.value);
  sweeps_.erase(sweeps_.begin());
  // After the last word on that slot's row.
  board_.worker.sweeps_done.publish(board_.worker.sweeps_done.get() + 1);
}

// The instance of this flow is gone.
void Worker::lose_flow(FlowEntry& flow) {
  if ((flow.flags & kFlowHoldsSyn) != 0) return withdraw(held_syn_of(flow));
  if (flow.state == FlowState::kOpen) {
    board_.slot(flow.slot).resets_to_client.increment();
    if (rte_mbuf* packet = rte_pktmbuf_alloc(options_.pool); packet != nullptr) {
      const SteeringService& service = table_->value.service(flow.key.service);
      const uint16_t length =
          write_reset(rte_pktmbuf_mtod(packet, uint8_t*), {.nic_mac = nic_.mac(),
                                                           .client_mac = flow.client_mac,
                                                           .vlan_tci = flow.vlan_tci,
                                                           .vip = service.vip,
                                                           .vip_port = service.port,
                                                           .client_ip = flow.key.client_ip,
                                                           .client_port = flow.key.client_port,
                                                           .sequence = flow.guest_next});
      packet->data_len = length;
      packet->pkt_len = length;
      board_.worker.generated.increment();
      send_to_client(packet);
    } else {
      // The client's next packet finds no flow and is answered with a reset then.
      board_.worker.no_memory.increment();
    }
  }
  erase_flow(flow);
}

void Worker::age_flows() {
  const uint64_t elapsed_ns = now_ns_ - aged_ns_;
  const size_t due =
      static_cast<size_t>(std::min(elapsed_ns, kAgeRoundNs) * flows_.bucket_count() / kAgeRoundNs);
  if (due == 0) return;
  aged_ns_ = now_ns_;
  if (flows_.size() == 0) return;
  const uint32_t now = flow_time(now_ns_);
  const uint32_t handshake = flow_duration(options_.config.handshake_timeout_ns);
  const uint32_t idle = flow_duration(options_.config.idle_timeout_ns);
  const uint32_t closing = flow_duration(options_.config.closing_timeout_ns);
  age_cursor_ = flows_.sweep(age_cursor_, std::min(due, kAgeBucketsMax), [&](FlowEntry& flow) {
    if ((flow.flags & kFlowHoldsSyn) != 0) return;  // the hold queue has its own clock
    const uint32_t quiet = now - flow.last_seen;
    // Half open, or perhaps not really reset: as long as a handshake may take.
    uint32_t limit = handshake;
    if (flow.state == FlowState::kOpen && (flow.flags & kFlowConfirmed) != 0) limit = idle;
    if (flow.state == FlowState::kClosing && (flow.flags & kFlowReset) == 0) limit = closing;
    if (quiet >= limit) erase_flow(flow);
  });
}

void Worker::set_in_flight(SlotIndex index, uint32_t in_flight) {
  SlotState& slot = slots_[index.value];
  slot.in_flight = in_flight;
  slot.in_flight_peak = std::max(slot.in_flight_peak, in_flight);
  touch(index, slot);
  chooser_.set_in_flight(index, in_flight);
  board_.slot(index).in_flight.set(in_flight);
  if (slot.limit_is_auto) admission_.answers[index.value].note_in_flight(in_flight);
}

void Worker::open_flow(FlowEntry& flow, SlotIndex index) {
  SlotState& slot = slots_[index.value];
  flow.slot = index;
  flow.generation = slot.generation;
  flow.state = FlowState::kSynSent;
  flow.last_seen = flow_time(now_ns_);
  SlotLoad& load = board_.slot(index);
  load.flows_opened.increment();
  load.last_opened_ns.set(now_ns_);
  set_in_flight(index, slot.in_flight + 1);
  // The slot's service is the flow's; reading it from the entry would wait for the entry's line.
  const uint32_t soft = table_->value.service(slot.service).in_flight_soft;
  if (slot.in_flight < soft) {
    slot.soft_limit_told = false;
  } else if (!slot.soft_limit_told) {
    slot.soft_limit_told = true;
    tell(LoadEdge::kSoftLimit, slot.service, index);
  }
}

// The flow is no longer in flight; its entry stays for stragglers.
void Worker::close_flow(FlowEntry& flow) {
  if (flow.state != FlowState::kSynSent && flow.state != FlowState::kOpen) return;
  set_owing(flow, false);
  flow.state = FlowState::kClosing;
  SlotState& slot = slot_of(flow);
  SlotLoad& load = board_.slot(flow.slot);
  load.flows_closed.increment();
  if (!(slot.generation == flow.generation)) return;  // counted with an instance that is gone
  CHECK(slot.in_flight > 0);
  set_in_flight(flow.slot, slot.in_flight - 1);
  if (slot.in_flight == 0 && slot.role == SlotRole::kDraining)
    tell(LoadEdge::kDrained, slot.service, flow.slot);
}

// Whether its instance may not be paused yet: the client has asked and waits.
void Worker::set_owing(FlowEntry& flow, bool owes) {
  if (((flow.flags & kFlowOwesAnswer) != 0) == owes) return;
  flow.flags ^= kFlowOwesAnswer;
  SlotState& slot = slot_of(flow);
  if (!(slot.generation == flow.generation)) return;  // counted with an instance that is gone
  if (slot.limit_is_auto) admission_.answers[flow.slot.value].note_owing(slot.owing, !owes, now_ns_);
  slot.owing += owes ? 1 : ~0U;
  board_.slot(flow.slot).flows_owing.set(slot.owing);
}

// Its guest did not believe the reset, or its client goes on: it is in flight as before.
void Worker::reopen_if_reset(FlowEntry& flow) {
  if ((flow.flags & kFlowReset) == 0) return;
  flow.flags &= static_cast<uint8_t>(~kFlowReset);
  flow.state = FlowState::kOpen;
  SlotState& slot = slot_of(flow);
  SlotLoad& load = board_.slot(flow.slot);
  load.flows_opened.increment();
  set_in_flight(flow.slot, slot.in_flight + 1);
}

void Worker::erase_flow(FlowEntry& flow) {
  close_flow(flow);
  flows_.erase(&flow);
}

}  // namespace cheshire
