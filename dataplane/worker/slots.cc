// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/slots.h"

#include <algorithm>
#include <utility>

namespace cheshire {
namespace {

// Per housekeeping: enough to take a million flows away in some 100 rounds, few enough not to be felt.
constexpr size_t kSweepBuckets = 512;

}  // namespace

Slots::Slots(size_t worker, const WorkerBoard& board, SlotArray& slots, const SlotsLinks& links)
    : worker_(worker), board_(board), slots_(slots), links_(links) {
  alive_.reserve(slots.size());
  to_prove_.reserve(slots.size());
  // An instance is swept when its port dies, or when it leaves the table; its successor may be, too, before
  // the first sweep is over.
  sweeps_.reserve(2 * slots.size());
}

void Slots::take_steering_table(Turn& turn) {
  const auto* latest = links_.steering->latest();
  if (latest == nullptr || (table_ != nullptr && latest->version == table_->version)) return;
  const SteeringTable& next = latest->value;
  const auto* before = std::exchange(table_, latest);  // good until it is passed
  turn.table = &next;
  links_.finder->use(&next);
  const bool same_services = before != nullptr && before->value.has_services_of(next);
  if (!same_services) take_services(next);
  for (uint16_t index = 0; index < slots_.size(); ++index) {
    const SteeringSlot& wanted = next.slot(SlotIndex{index});
    if (same_services && before->value.slot(SlotIndex{index}) == wanted) continue;
    take_slot(turn, SlotIndex{index}, wanted);
  }
  list_alive();
  links_.steering->pass(worker_, latest->version);
}

void Slots::take_services(const SteeringTable& next) {
  for (uint16_t index = 0; index < next.services().size(); ++index) {
    const SteeringService& service = next.service(ServiceIndex{index});
    links_.egress->configure(ServiceIndex{index}, service);
    links_.chooser->configure(ServiceIndex{index}, service);
  }
}

void Slots::take_slot(const Turn& turn, SlotIndex index, const SteeringSlot& listed) {
  // What another worker owns is nobody here.
  const bool mine = listed.generation.value != 0 && is_mine(turn, listed.service);
  const SteeringSlot wanted = mine ? listed : SteeringSlot{};
  Slot& slot = slots_[index.value];
  if (!(slot.generation == wanted.generation)) {
    if (slot.generation.value != 0) end_instance(turn, index);
    if (wanted.generation.value != 0) begin_instance(turn, index, wanted);
  }
  change_role(turn, slot, wanted.role);
  if (wanted.generation.value != 0) links_.limits->update(turn, index);
  update_membership(index);
}

void Slots::begin_instance(const Turn& turn, SlotIndex index, const SteeringSlot& wanted) {
  Slot& slot = slots_[index.value];
  slot.generation = slot.living = wanted.generation;
  slot.service = wanted.service;
  slot.role = wanted.role;
  slot.ready = false;
  ++slot.proofs_wanted;
  links_.chooser->begin(slot.service, index);
  links_.limits->begin_instance(turn, index);
  links_.flow_life->begin_instance(index);
  links_.report->begin_instance(turn, index);
  attach_if_expected(turn, index);
}

void Slots::change_role(const Turn& turn, Slot& slot, SlotRole role) {
  if (slot.role == role) return;
  slot.role = role;
  if (role != SlotRole::kStandby) return;
  // When it comes back it has to show anew that it is ready.
  slot.ready = false;
  ++slot.proofs_wanted;
  SlotLoad& load = *slot.load;
  load.unanswered_since_ns.set(0);
  // A packet that came just before is for a guest that will not see it before it is woken.
  load.wake_since_ns.set(slot.queue.empty() ? 0 : turn.now_ns);
  load.ready_generation.publish(0);
}

void Slots::end_instance(const Turn& turn, SlotIndex index) {
  Slot& slot = slots_[index.value];
  if (slot.exists()) {
    detach(slot);
    begin_sweep(turn, {index, slot.generation});
  }
  // What the sweep will take is no longer in flight anywhere: the slot's next instance begins with nothing.
  links_.chooser->remove(index);
  links_.flow_life->end_instance(index);
  slot.generation = slot.living = Generation{};
  slot.role = SlotRole::kEmpty;
  slot.ready = false;
}

void Slots::take_port_messages(const Turn& turn) {
  PortMessage message;
  bool changed = false;
  while (links_.port_messages->pop(message)) {
    const SlotIndex index{message.slot};
    Slot& slot = slots_[message.slot];
    changed = true;
    if (message.kind == PortMessage::Kind::kUp) {
      // Told to all workers; the slot's row is written by its owner.
      slot.port = message.port;
      slot.up = message;
      attach_if_expected(turn, index);
      continue;
    }
    port_down(turn, index);
    // Off the list of those alive before the sender may go on and free what is behind the port.
    list_alive();
    downs_acknowledged_.publish(downs_acknowledged_.get() + 1);
  }
  if (changed) list_alive();
}

void Slots::port_down(const Turn& turn, SlotIndex index) {
  Slot& slot = slots_[index.value];
  if (slot.alive() && slot.role == SlotRole::kStandby) {
    // Some VMMs take the device down with the vCPU. Its flows stay, and what comes for them is queued.
    slot.load->attached_generation.publish(0);
  } else if (slot.alive()) {
    detach(slot);
    slot.living = Generation{};
    links_.chooser->remove(index);
    begin_sweep(turn, {index, slot.generation});
    slot.load->dead_generation.publish(slot.generation.value);
    links_.report->tell(turn, LoadEdge::kDead, slot.service, index);
  }
  slot.port = nullptr;
}

void Slots::attach_if_expected(const Turn& turn, SlotIndex index) {
  const Slot& slot = slots_[index.value];
  if (!slot.alive()) return;
  SlotLoad& load = *slot.load;
  load.connected_ns.set(slot.up.connected_ns);
  load.ring_up_ns.set(slot.up.ring_up_ns);
  load.messages_ns.set(slot.up.messages_ns);
  load.attached_generation.publish(slot.generation.value);
  links_.report->tell(turn, LoadEdge::kAttached, slot.service, index);
}

// No packet goes to this instance any more.
void Slots::detach(Slot& slot) {
  links_.egress->drop_queue(slot);
  if (slot.ready_unreported) {
    slot.ready_unreported = false;
    --ready_unreported_;
  }
  slot.load->attached_generation.publish(0);
  slot.load->unanswered_since_ns.set(0);
}

// Whether it may get new flows now. To be called whenever anything of this changes.
void Slots::update_membership(SlotIndex index) {
  const Slot& slot = slots_[index.value];
  if (slot.alive() && slot.ready && slot.role == SlotRole::kAccepting) {
    links_.chooser->add(slot.service, index, slot.ready_ns);
  } else if (slot.alive() && slot.role == SlotRole::kDraining) {
    links_.chooser->retire(index);
  } else {
    links_.chooser->remove(index);
  }
}

// After every change of who is alive, and of roles. Within what was reserved at start.
void Slots::list_alive() {
  alive_.clear();
  to_prove_.clear();
  for (uint16_t index = 0; index < slots_.size(); ++index) {
    const Slot& slot = slots_[index];
    if (!slot.alive()) continue;
    alive_.push_back(SlotIndex{index});
    const bool wanted = slot.role == SlotRole::kAccepting || slot.role == SlotRole::kWarming;
    if (wanted && !slot.ready) to_prove_.push_back(SlotIndex{index});
  }
}

std::span<const SlotIndex> Slots::to_prove() {
  std::erase_if(to_prove_, [&](SlotIndex index) { return slots_[index.value].ready; });
  return to_prove_;
}

void Slots::became_ready(const Turn& turn, SlotIndex index, uint64_t syn_seen_ns, uint64_t syn_delivered_ns) {
  Slot& slot = slots_[index.value];
  slot.ready = true;
  slot.ready_ns = turn.now_ns;
  slot.ready_unreported = true;
  ++ready_unreported_;
  update_membership(index);
  SlotLoad& load = *slot.load;
  load.unanswered_since_ns.set(0);
  load.syn_seen_ns.set(syn_seen_ns);
  load.syn_delivered_ns.set(syn_delivered_ns);
  load.syn_ack_ns.set(turn.now_ns);
}

[[gnu::noinline]] void Slots::report_those_ready(const Turn& turn) {
  const uint64_t on_wire_ns = monotonic_ns();
  for (const SlotIndex index : alive_) {
    Slot& slot = slots_[index.value];
    if (!slot.ready_unreported) continue;
    slot.ready_unreported = false;
    slot.load->on_wire_ns.set(on_wire_ns);
    slot.load->ready_generation.publish(slot.generation.value);
    links_.report->tell(turn, LoadEdge::kReady, slot.service, index);
  }
  ready_unreported_ = 0;
}

void Slots::begin_sweep(const Turn& turn, InstanceId instance) {
  // The bound is hit only if instances come and go faster than the table is swept: then the oldest is
  // finished at once, which takes as long as it takes.
  while (sweeps_.size() == sweeps_.capacity()) advance_sweeps(turn);
  sweeps_.push_back({instance, 0});
  board_.worker.sweeps_begun.increment();
}

void Slots::advance_sweeps(const Turn& turn) {
  if (sweeps_.empty()) return;
  Sweep& sweep = sweeps_.front();
  sweep.cursor = links_.flow_life->table().sweep(sweep.cursor, kSweepBuckets, [&](FlowEntry& flow) {
    if (flow.state != FlowState::kHeld && !flow.flags.has(FlowFlag::kHoldsSyn) &&
        flow.slot == sweep.instance.slot && flow.generation == sweep.instance.generation) {
      lose_flow(turn, flow);
    }
  });
  if (sweep.cursor != 0) return;
  slots_[sweep.instance.slot.value].load->swept_generation.publish(sweep.instance.generation.value);
  sweeps_.erase(sweeps_.begin());
  // After the last word on that slot's row.
  board_.worker.sweeps_done.publish(board_.worker.sweeps_done.get() + 1);
}

// The instance of this flow is gone.
void Slots::lose_flow(const Turn& turn, FlowEntry& flow) {
  if (flow.state == FlowState::kOpen) links_.egress->reset_lost_flow(turn, flow);
  links_.flow_life->erase(turn, flow);
}

}  // namespace cheshire
