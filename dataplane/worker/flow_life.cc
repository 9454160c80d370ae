// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/flow_life.h"

#include <algorithm>

#include "check.h"

namespace cheshire {
namespace {

// Per housekeeping: few enough not to be felt.
constexpr size_t kAgeBucketsMax = 256;
constexpr uint64_t kAgeRoundNs = kNsPerSecond;  // each flow is looked at once in that time

}  // namespace

FlowLife::FlowLife(const WorkerConfig& config, HashKey table_key, SlotArray& slots, Chooser& chooser,
                   InstanceLimits& limits, LoadReport& report)
    : config_(config),
      table_(config.flows_max, table_key),
      slots_(slots),
      chooser_(chooser),
      limits_(limits),
      report_(report) {}

bool FlowLife::is_forgotten_by_client(const Turn& turn, const FlowEntry& flow) const {
  const bool open = flow.state == FlowState::kOpen && flow.flags.has(FlowFlag::kConfirmed);
  return open && slots_[flow.slot.value].role == SlotRole::kDraining &&
         flow_time(turn.now_ns) - flow.last_seen >= flow_duration(kReusedAfterQuietNs);
}

FlowEntry* FlowLife::insert(const FlowKey& key, const ParsedPacket& parsed, const EthernetHeader& header) {
  FlowEntry* flow = table_.insert(key);
  if (flow != nullptr) set_client(*flow, parsed, header);
  return flow;
}

void FlowLife::hold(const Turn& turn, FlowEntry& flow, uint32_t held_syn) {
  flow.state = FlowState::kHeld;
  flow.flags = FlowFlag::kHoldsSyn;
  flow.guest_next = held_syn;
  flow.last_seen = flow_time(turn.now_ns);
}

void FlowLife::give(const Turn& turn, FlowEntry& flow, SlotIndex index) {
  Slot& slot = slots_[index.value];
  flow.slot = index;
  flow.generation = slot.generation;
  flow.state = FlowState::kSynSent;
  flow.last_seen = flow_time(turn.now_ns);
  slot.load->flows_opened.increment();
  slot.load->last_opened_ns.set(turn.now_ns);
  set_in_flight(index, slot.in_flight + 1);
  // The slot's service is the flow's; reading it from the entry would wait for the entry's line.
  const uint32_t soft = turn.service(slot.service).in_flight_soft;
  if (slot.in_flight < soft) {
    slot.soft_limit_told = false;
  } else if (!slot.soft_limit_told) {
    slot.soft_limit_told = true;
    report_.tell(turn, LoadEdge::kSoftLimit, slot.service, index);
  }
}

void FlowLife::withdraw(const Turn& turn, FlowEntry& flow) {
  close(turn, flow);
  flow.state = FlowState::kHeld;
}

void FlowLife::answered(FlowEntry& flow, uint32_t guest_next) {
  if (flow.state != FlowState::kSynSent) return;
  flow.state = FlowState::kOpen;
  flow.guest_next = guest_next;
}

void FlowLife::client_segment(const Turn& turn, FlowEntry& flow, const ParsedPacket& parsed,
                              const EthernetHeader& header, const TcpHeader& tcp) {
  if (!is_new_syn(parsed)) flow.last_seen = flow_time(turn.now_ns);
  set_client(flow, parsed, header);
  if ((parsed.tcp_flags & kTcpRst) != 0) {
    if (flow.state != FlowState::kClosing) flow.flags.set(FlowFlag::kReset);
    return close(turn, flow);
  }
  reopen_if_reset(flow);
  if (!is_new_syn(parsed)) flow.flags.set(FlowFlag::kConfirmed);
  if ((parsed.tcp_flags & kTcpFin) != 0) flow.flags.set(FlowFlag::kFinFromClient);
  if (parsed.l4_length > parsed.tcp_header_length) set_owing(turn, flow, true);
  // Both have finished, and the client has everything that the guest sent.
  if (flow.flags.has(FlowFlag::kFinFromClient | FlowFlag::kFinFromGuest) &&
      (parsed.tcp_flags & kTcpAck) != 0 && tcp.acknowledgment.value() == flow.guest_next) {
    close(turn, flow);
  }
}

void FlowLife::guest_segment(const Turn& turn, FlowEntry& flow, const ParsedPacket& parsed,
                             const TcpHeader& tcp) {
  flow.last_seen = flow_time(turn.now_ns);
  if (flow.flags.has(FlowFlag::kHoldsSyn)) return;  // guest_next is not in use yet
  if ((parsed.tcp_flags & kTcpRst) == 0) reopen_if_reset(flow);
  note_guest_next(flow, tcp.sequence.value() + tcp_sequence_length(parsed));
  if (parsed.l4_length > parsed.tcp_header_length || (parsed.tcp_flags & kTcpFin) != 0)
    set_owing(turn, flow, false);
  if ((parsed.tcp_flags & kTcpFin) != 0) flow.flags.set(FlowFlag::kFinFromGuest);
  if ((parsed.tcp_flags & kTcpRst) != 0) close(turn, flow);
}

void FlowLife::erase(const Turn& turn, FlowEntry& flow) {
  close(turn, flow);
  table_.erase(&flow);
}

void FlowLife::begin_instance(SlotIndex index) {
  Slot& slot = slots_[index.value];
  slot.soft_limit_told = false;
  slot.owing = 0;
  slot.load->flows_owing.set(0);
  set_in_flight(index, 0);
}

void FlowLife::age(const Turn& turn) {
  const uint64_t elapsed_ns = turn.now_ns - aged_ns_;
  const size_t due =
      static_cast<size_t>(std::min(elapsed_ns, kAgeRoundNs) * table_.bucket_count() / kAgeRoundNs);
  if (due == 0) return;
  aged_ns_ = turn.now_ns;
  if (table_.size() == 0) return;
  const uint32_t now = flow_time(turn.now_ns);
  const uint32_t handshake = flow_duration(config_.handshake_timeout_ns);
  const uint32_t idle = flow_duration(config_.idle_timeout_ns);
  const uint32_t closing = flow_duration(config_.closing_timeout_ns);
  age_cursor_ = table_.sweep(age_cursor_, std::min(due, kAgeBucketsMax), [&](FlowEntry& flow) {
    if (flow.flags.has(FlowFlag::kHoldsSyn)) return;  // the hold queue has its own clock
    const uint32_t quiet = now - flow.last_seen;
    // Half open, or perhaps not really reset: as long as a handshake may take.
    uint32_t limit = handshake;
    if (flow.state == FlowState::kOpen && flow.flags.has(FlowFlag::kConfirmed)) limit = idle;
    if (flow.state == FlowState::kClosing && !flow.flags.has(FlowFlag::kReset)) limit = closing;
    if (quiet >= limit) erase(turn, flow);
  });
}

void FlowLife::set_in_flight(SlotIndex index, uint32_t in_flight) {
  Slot& slot = slots_[index.value];
  slot.in_flight = in_flight;
  report_.in_flight_changed(index, slot);
  chooser_.set_in_flight(index, in_flight);
  slot.load->in_flight.set(in_flight);
  limits_.in_flight_changed(index, slot);
}

// Whether its instance may not be paused yet: the client has asked and waits.
void FlowLife::set_owing(const Turn& turn, FlowEntry& flow, bool owes) {
  if (flow.flags.has(FlowFlag::kOwesAnswer) == owes) return;
  flow.flags.toggle(FlowFlag::kOwesAnswer);
  Slot& slot = slots_[flow.slot.value];
  if (!(slot.generation == flow.generation)) return;  // counted with an instance that is gone
  limits_.owing_changes(turn, flow.slot, slot, !owes);
  slot.owing += owes ? 1 : ~0U;
  slot.load->flows_owing.set(slot.owing);
}

// The flow is no longer in flight; its entry stays for stragglers.
void FlowLife::close(const Turn& turn, FlowEntry& flow) {
  if (flow.state != FlowState::kSynSent && flow.state != FlowState::kOpen) return;
  set_owing(turn, flow, false);
  flow.state = FlowState::kClosing;
  Slot& slot = slots_[flow.slot.value];
  slot.load->flows_closed.increment();
  if (!(slot.generation == flow.generation)) return;  // counted with an instance that is gone
  CHECK(slot.in_flight > 0);
  set_in_flight(flow.slot, slot.in_flight - 1);
  if (slot.in_flight == 0 && slot.role == SlotRole::kDraining)
    report_.tell(turn, LoadEdge::kDrained, slot.service, flow.slot);
}

// Its guest did not believe the reset, or its client goes on: it is in flight as before.
void FlowLife::reopen_if_reset(FlowEntry& flow) {
  if (!flow.flags.has(FlowFlag::kReset)) return;
  flow.flags.clear(FlowFlag::kReset);
  flow.state = FlowState::kOpen;
  Slot& slot = slots_[flow.slot.value];
  slot.load->flows_opened.increment();
  set_in_flight(flow.slot, slot.in_flight + 1);
}

}  // namespace cheshire
