// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/worker.h"

#include <rte_mbuf.h>

#include "dataplane/packet/answer.h"
#include "dataplane/worker/flow_marks.h"
#include "dataplane/worker/packet_bytes.h"

namespace cheshire {
namespace {

// Packets rarely wait for housekeeping, decisions do: every turn when idle, every sixteenth under load.
constexpr uint64_t kHousekeepingTurns = 16;

// Once, at start: where each slot's row on the board is.
SlotArray& with_rows(SlotArray& slots, const WorkerBoard& board) {
  for (uint16_t index = 0; index < slots.size(); ++index) slots[index].load = &board.slot(SlotIndex{index});
  return slots;
}

}  // namespace

Worker::Worker(const WorkerOptions& options, const WorkerLinks& links)
    : options_(options),
      nic_(links.nic->queue(options.number)),
      marks_(links.marks),
      board_(*links.board, options.number),
      slot_array_(options.slots),
      hold_(options.services, options.held_syns_max),
      chooser_(options.services, options.slots),
      finder_(options.number),
      report_(board_, *links.load_ring, links.doorbell, hold_, with_rows(slot_array_, board_)),
      guest_poll_(slot_array_),
      egress_(nic_, options.pool, options.services, board_, slot_array_, report_, guest_poll_),
      limits_(slot_array_, chooser_),
      flow_life_(options.config, options.flow_hash_key, slot_array_, chooser_, limits_, report_),
      slots_(options.number, board_, slot_array_,
             {.steering = links.steering,
              .port_messages = links.port_messages,
              .finder = &finder_,
              .chooser = &chooser_,
              .report = &report_,
              .limits = &limits_,
              .flow_life = &flow_life_,
              .egress = &egress_}),
      admission_({.services = options.services,
                  .config = options.config,
                  .cookie_key = options.cookie_key,
                  .source_key = options.flow_hash_key},
                 board_, slot_array_, SteeringHash(options.flow_hash_key), chooser_, limits_, egress_),
      cold_start_(board_, {.hold = &hold_,
                           .chooser = &chooser_,
                           .report = &report_,
                           .flow_life = &flow_life_,
                           .egress = &egress_,
                           .slots = &slots_,
                           .admission = &admission_}),
      untracked_(options.config.idle_timeout_ns, board_, slot_array_, SteeringHash(options.flow_hash_key),
                 chooser_, egress_),
      exchange_(options.number, options.packets_per_sample,
                {.hand_over = links.hand_over,
                 .marks = links.marks,
                 .pins = links.marks != nullptr && nic_.receives() ? links.pins : nullptr,
                 .egress = &egress_}),
      client_segments_(board_, {.hold = &hold_,
                                .report = &report_,
                                .flow_life = &flow_life_,
                                .egress = &egress_,
                                .admission = &admission_,
                                .cold_start = &cold_start_,
                                .untracked = &untracked_}),
      guest_segments_(slot_array_, {.report = &report_,
                                    .flow_life = &flow_life_,
                                    .egress = &egress_,
                                    .cold_start = &cold_start_,
                                    .untracked = &untracked_}) {}

bool Worker::turn(uint64_t now_ns) {
  turn_.now_ns = now_ns;
  board_.worker.turns.increment();
  bool clients_came = receive_from_clients();
  if (exchange_.has_others() && receive_from_workers()) clients_came = true;
  const bool busy = receive_from_guests(clients_came) || clients_came;
  egress_.flush_to_guests();
  transmit();
  if (!busy || board_.worker.turns.get() % kHousekeepingTurns == 0) housekeeping();
  egress_.free_sent();
  if (!busy) board_.worker.idle_turns.increment();
  return busy;
}

void Worker::housekeeping() {
  slots_.take_steering_table(turn_);
  slots_.take_port_messages(turn_);
  cold_start_.serve_all(turn_);
  slots_.advance_sweeps(turn_);
  cold_start_.probe_unproven(turn_);
  flow_life_.age(turn_);
  if (report_.is_due(turn_, options_.config.publication_ns)) {
    board_.worker.flows.set(flow_life_.table().size());
    limits_.adapt(turn_, slots_.alive());
    cold_start_.probe_quiet(turn_);
    report_.publish(turn_);
  }
  egress_.flush_to_guests();
  transmit();
}

void Worker::transmit() {
  egress_.transmit(turn_);
  slots_.report_ready(turn_);
}

bool Worker::receive_from_clients() {
  burst_.count = nic_.receive(burst_.packets.data(), kBurst);
  if (burst_.count == 0) return false;
  egress_.count_from_nic(burst_.count);
  read_from_clients(burst_, finder_, nic_, flow_life_.table());
  if (exchange_.has_others()) exchange_.give_foreign(turn_, burst_);
  if (marks_ != nullptr) note_marks(&WorkerMarks::watched_here);
  look_up(burst_, flow_life_.table());
  act_on_clients();
  return true;
}

// From each of the others a burst at most, as from the NIC. The giver may know a newer table, with a service that we
// have not heard of: what it had read before it gave is seen by who takes, so ours is as new as its then.
bool Worker::receive_from_workers() {
  bool came = false;
  for (SpscRing<rte_mbuf*>* ring : exchange_.incoming()) {
    if (!exchange_.take(*ring, burst_)) continue;
    came = true;
    slots_.take_steering_table(turn_);
    read_handed_over(burst_, finder_, nic_.mac(), flow_life_.table());
    Exchange::drop_astray(burst_);
    if (marks_ != nullptr) note_marks(&WorkerMarks::watched_over);
    look_up(burst_, flow_life_.table());
    exchange_.look_for_long_flow(turn_, burst_, flow_life_.table());
    act_on_clients();
  }
  return came;
}

void Worker::note_marks(Counter WorkerMarks::*watched) {
  compare_marks(burst_, *marks_, options_.number);
  count_watched(burst_, marks_->orders, marks_->by_worker[options_.number].*watched);
}

bool Worker::receive_from_guests(bool clients_came) {
  return guest_poll_.round(clients_came, slots_.alive(), [this](SlotIndex index, Slot& slot) {
    const uint16_t count = slot.port->from_guest(options_.pool, burst_.packets.data(), kBurst);
    if (count == 0) [[likely]]
      return false;
    burst_.count = count;
    act_on_guest(index, slot);
    return true;
  });
}

void Worker::act_on_clients() {
  const uint32_t now = flow_time(turn_.now_ns);
  const uint16_t count = burst_.count;
  for (uint16_t i = 0; i < count; ++i) {
    if (burst_.steps[i] != Step::kPlainSegment || !pass_on_to_guest(i, now)) [[unlikely]]
      client_segments_.act(turn_, burst_, i);
  }
}

// What nearly every packet is: a plain segment of an open flow, whose entry is the candidate. False: it takes more.
[[gnu::always_inline]] inline bool Worker::pass_on_to_guest(uint16_t i, uint32_t now) {
  FlowEntry* flow = burst_.candidates[i];
  const FlowKey& key = burst_.keys[i];
  if (!(flow->key == key)) return false;
  rte_mbuf* packet = burst_.packets[i];
  const ParsedPacket& parsed = burst_.parsed[i];
  uint8_t* frame = bytes_of(packet);
  const bool has_payload = parsed.l4_length != parsed.tcp_header_length;
  Slot& slot = slot_array_[flow->slot.value];
  if (!FlowLife::is_plain_from_client(*flow, has_payload, header_at<EthernetHeader>(frame, 0)) ||
      !(slot.living == flow->generation)) {
    return false;
  }
  FlowLife::note_seen(*flow, now);
  if (has_payload) report_.note_asked(turn_, slot);
  set_length(packet, parsed.frame_length);
  egress_.rewrite(key.service).to_guest(frame, parsed);
  egress_.queue_to_guest(turn_, flow->slot, slot, packet);
  return true;
}

[[gnu::noinline]] void Worker::act_on_guest(SlotIndex index, Slot& slot) {
  report_.touch(index, slot);
  report_.note_heard(turn_, slot);
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < burst_.count; ++i) bytes += burst_.packets[i]->pkt_len;
  egress_.count_from_guest(slot, burst_.count, bytes);
  read_from_guest(burst_, turn_.service(slot.service), slot.service, flow_life_.table());
  look_up(burst_, flow_life_.table());
  const uint32_t now = flow_time(turn_.now_ns);
  for (uint16_t i = 0; i < burst_.count; ++i) {
    rte_mbuf* packet = burst_.packets[i];
    switch (burst_.steps[i]) {
      case Step::kPlainSegment:
      case Step::kSegment: {
        FlowEntry* flow = flow_life_.table().find(burst_.places[i], burst_.keys[i], burst_.candidates[i]);
        if (!pass_on_to_client(i, index, flow, now)) [[unlikely]]
          guest_segments_.act(turn_, index, packet, burst_.parsed[i], flow);
        break;
      }
      case Step::kAnswerArp:
        make_arp_reply(bytes_of(packet), burst_.parsed[i], kGatewayMac);
        egress_.queue_to_guest(turn_, index, slot, packet);
        break;
      case Step::kDrop:
      case Step::kForeign:  // for clients only, as
      case Step::kAnswerEcho:
      case Step::kNoService:
        egress_.drop_of(slot, packet, burst_.parsed[i].reason);
        break;
    }
  }
}

// What nearly every packet is: a plain segment of an open flow that the guest was given. False: it takes more.
[[gnu::always_inline]] inline bool Worker::pass_on_to_client(uint16_t i, SlotIndex index, FlowEntry* flow,
                                                             uint32_t now) {
  rte_mbuf* packet = burst_.packets[i];
  const ParsedPacket& parsed = burst_.parsed[i];
  if (burst_.steps[i] != Step::kPlainSegment || flow == nullptr ||
      !flow_life_.is_plain_from_guest(*flow, index, parsed.l4_length != parsed.tcp_header_length)) {
    return false;
  }
  const auto& tcp = header_at<TcpHeader>(bytes_of(packet), parsed.l4_offset);
  FlowLife::note_seen(*flow, now);
  FlowLife::note_guest_next(*flow, tcp.sequence.value() + tcp_sequence_length(parsed));
  set_length(packet, parsed.frame_length);
  egress_.rewrite(flow->key.service).from_guest(bytes_of(packet), parsed, nic_.mac(), flow->client_mac);
  egress_.send_to_client(turn_, packet);
  return true;
}

}  // namespace cheshire
