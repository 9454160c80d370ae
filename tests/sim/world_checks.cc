// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What has to hold in a world, looked at from outside.
#include <algorithm>
#include <cstring>

#include "controlplane/trace/replay.h"
#include "tests/sim/world.h"

namespace cheshire::sim {
namespace {

// Housekeeping comes each sixteenth turn under load; in each of them, overdue SYNs go.
constexpr uint64_t kTurnsToExpire = 64;

// A max that an operator lowers is reached by rounds: those that are quiet go first.
constexpr uint64_t kRoundsToShrink = 16;

std::string name_of(const Instance& instance) {
  return "slot " + std::to_string(instance.id.slot.value) + " generation " +
         std::to_string(instance.id.generation.value) + " (" + to_string(instance.state) + ")";
}

}  // namespace

// --- workers

// At the end what was held is dropped, and the level is nobody's any more.
void World::check_sum(const WorkerLoad& load, bool ended) const {
  uint64_t dropped = 0;
  for (const Counter& drop : load.drops) dropped += drop.get();
  const uint64_t in = load.nic_rx_packets.get() + load.packets_from_guest.get() + load.generated.get() +
                      load.taken_over.get();
  const uint64_t out = load.nic_tx_packets.get() + load.packets_to_guest.get() + dropped +
                       (ended ? 0 : load.held_packets.get()) + load.handed_over.get();
  HOLDS(scene_.journal, in == out, "every packet leaves in exactly one way",
        std::to_string(in) + " came in, " + std::to_string(out) + " left or are held");
}

// A SYN that waits is answered, given away or refused within hold.time_max, as soon as its worker looks.
void World::check_held() {
  const Config& config = control_->config();
  for (uint16_t index = 0; index < config.services.size(); ++index) {
    Overdue& overdue = overdue_[index];
    const ServiceLoad& load = board_.service(ServiceIndex{index});
    const uint64_t since_ns = load.waiting_since_ns.get();
    const WorkerLoad& owner = board_.worker(config.worker_of(ServiceIndex{index}));
    const auto* newest = steering_.latest();
    const bool is_late =
        newest != nullptr && since_ns != 0 && steering_.passed_by_all(newest->version) &&
        scene_.now_ns() - since_ns >= newest->value.service(ServiceIndex{index}).hold_time_max_ns;
    if (!is_late || overdue.since_ns != since_ns) {
      overdue = {.since_ns = is_late ? since_ns : 0, .turns = owner.turns.get()};
      continue;
    }
    HOLDS(scene_.journal, owner.turns.get() - overdue.turns <= kTurnsToExpire,
          "a held SYN waits no longer than hold.time_max", service_words(index));
  }
}

// --- the control loop

void World::check_instances() {
  ++rounds_since_command_;
  const Config& config = control_->config();
  std::vector<uint32_t> sizes(config.services.size());
  for (const Instance& instance : control_->instances()) {
    Followed& before = followed_[instance.id.slot.value];
    HOLDS(scene_.journal, instance.id.generation >= before.generation, "generations of a slot only grow",
          name_of(instance));
    const bool same = instance.id.generation == before.generation;
    if (instance.state != before.state || !same) {
      scene_.journal.note(What::kState, instance.id.slot.value, instance.id.generation.value,
                          static_cast<uint64_t>(InstanceState{instance.state}));
      if (same && before.state == InstanceState::kDraining && instance.counts())
        scene_.covered.count(Event::k_instances_called_back);
      const bool leaves =
          instance.state == InstanceState::kLeaving || instance.state == InstanceState::kStopping;
      const bool left = before.state == InstanceState::kLeaving || before.state == InstanceState::kStopping;
      if (leaves && !(same && left)) {
        if (instance.failed) scene_.covered.count(Event::k_instances_failed);
        const uint64_t flows = board_.slot(instance.id.slot).in_flight.get();
        HOLDS(scene_.journal,
              instance.failed || ending_ || flows == 0 || before.state != InstanceState::kDraining ||
                  scene_.now_ns() - instance.drain_began_ns >=
                      config.services[instance.service.value].drain_deadline_ns,
              "an instance with open flows goes only when it failed or its drain deadline passed",
              name_of(instance) + " with " + std::to_string(flows));
      }
    }
    if (instance.retiring && !before.retiring) scene_.covered.count(Event::k_instances_retired);
    before.state = instance.state;
    before.generation = instance.id.generation;
    before.retiring = instance.retiring;
    if (instance.counts() && !instance.replaces) ++sizes[instance.service.value];
  }
  for (uint16_t index = 0; index < sizes.size(); ++index) {
    const ServiceConfig& service = config.services[index];
    HOLDS(scene_.journal,
          sizes[index] <= service.instances_max || rounds_since_command_ < kRoundsToShrink ||
              service.removed || ending_,
          "a service never has more instances than its max",
          service_words(index) + ": " + std::to_string(sizes[index]));
  }
}

// In fair weather; elsewhere a flow that was reset and goes on is counted as opened again.
void World::check_draining() {
  if (!scene_.plan.fair) return;
  for (const Instance& instance : control_->instances()) {
    Followed& followed = followed_[instance.id.slot.value];
    const bool drains = instance.state == InstanceState::kDraining && !instance.last_resort &&
                        steering_.passed_by_all(instance.table_version);
    const uint64_t opened = board_.slot(instance.id.slot).flows_opened.get();
    if (drains && followed.drains_since_table == instance.table_version) {
      HOLDS(scene_.journal, opened == followed.flows_opened, "an instance that drains gets no new flow",
            name_of(instance));
    }
    followed.drains_since_table = drains ? instance.table_version : 0;
    followed.flows_opened = opened;
  }
}

// What the workers are told is what the control loop knows.
void World::check_table() const {
  const auto* newest = steering_.latest();
  if (newest == nullptr) return;
  for (const Instance& instance : control_->instances()) {
    const SteeringSlot& listed = newest->value.slot(instance.id.slot);
    if (!instance.listed()) {
      HOLDS(scene_.journal, listed.role == SlotRole::kEmpty,
            "an instance that is not to be seen is in no table", name_of(instance));
      continue;
    }
    HOLDS(scene_.journal, listed.generation == instance.id.generation && listed.service == instance.service,
          "a listed instance stands in the table with its own name", name_of(instance));
    HOLDS(scene_.journal, !instance.counts() || listed.role == SlotRole::kAccepting,
          "an instance that counts may get flows", name_of(instance));
  }
}

void World::check_levels() const {
  for (uint16_t slot = 0; slot < board_.slot_count(); ++slot) {
    const SlotLoad& load = board_.slot(SlotIndex{slot});
    HOLDS(scene_.journal, load.in_flight.get() <= load.flows_opened.get() - load.flows_closed.get(),
          "no more flows are in flight than were opened and not closed", "slot " + std::to_string(slot));
  }
  for (uint16_t index = 0; index < board_.service_count(); ++index) {
    const ServiceLoad& load = board_.service(ServiceIndex{index});
    HOLDS(scene_.journal, load.waiting_syns.get() <= load.held_syns.get(), "who waits is held",
          service_words(index));
    if (load.waiting_syns.get() != 0) scene_.covered.count(Event::k_syns_held);
  }
  check_settled();
}

// Connections that both ends know to be open are in flight. Not where something may have closed one end: a flow that
// aged, a reset from elsewhere, a table without room.
void World::check_settled() const {
  if (!scene_.plan.fair || scene_.untracked) return;
  constexpr uint64_t kLatelyNs = 50 * kNsPerMs;
  for (uint16_t index = 0; index < config_.services.size(); ++index) {
    uint64_t in_flight = 0;
    for (const Instance& instance : control_->instances()) {
      if (instance.service == ServiceIndex{index}) in_flight += board_.slot(instance.id.slot).in_flight.get();
    }
    const uint64_t known = clients_.known(config_.services[index].vip.value(), kLatelyNs);
    HOLDS(scene_.journal, in_flight <= known, "what has ended is not in flight",
          service_words(index) + ": " + std::to_string(in_flight) + " on the board, " +
              std::to_string(known) + " clients have one");
  }
  for (const auto& [number, connections] : clients_.settled()) {
    const Individual* instance = scene_.book.instance(number);
    const Instance& seen = control_->instances()[instance->id.slot.value];
    if (!(seen.id == instance->id) || !seen.listed()) continue;
    const uint64_t in_flight = board_.slot(instance->id.slot).in_flight.get();
    HOLDS(scene_.journal, in_flight >= connections, "in_flight counts every open connection",
          name_of(seen) + ": " + std::to_string(in_flight) + " on the board, " + std::to_string(connections) +
              " clients have one");
  }
}

// Each decision as it is traced, with the rules that were in force.
void World::follow_decisions() {
  const uint64_t total = trace_.total();
  if (total == decisions_seen_) return;
  const Config& config = control_->config();
  for (const DecisionTrace::Numbered& one : trace_.latest(
           DecisionTrace::kRingRecords > total ? decisions_seen_
                                               : DecisionTrace::kRingRecords - (total - decisions_seen_),
           total - decisions_seen_)) {
    const TraceDecision& record = one.decision;
    decisions_.records.emplace_back(
        trace_rules(ServiceIndex{record.service}, config.services[record.service]));
    decisions_.records.emplace_back(record);
    scene_.journal.note(What::kDecision, record.service, record.view.size, record.decision.wanted);
  }
  decisions_seen_ = total;
}

void World::check_replay() const {
  const Replay replay = replay_same(decisions_);
  scene_.covered.count(Event::k_decisions, replay.decisions.size());
  HOLDS(scene_.journal, replay.different == 0 && replay.without_rules == 0,
        "what was decided is decided again from its trace", std::to_string(replay.different) + " differ");
}

// --- rest and end

std::string World::service_words(uint16_t index) const {
  const Config& config = control_->config();
  const ServiceLoad& load = board_.service(ServiceIndex{index});
  std::string words = index < config.services.size() ? config.services[index].name : "none";
  words += ": " + std::to_string(load.waiting_syns.get()) + " wait, " + std::to_string(load.held_syns.get()) +
           " held";
  if (index < config.services.size()) {
    words += ", min " + std::to_string(config.services[index].instances_min) + ", max " +
             std::to_string(config.services[index].instances_max);
    if (config.services[index].removed) words += ", removed";
  }
  return words;
}

bool World::is_at_rest() const {
  return unrest().empty();
}

// What is not at rest yet, in words.
std::string World::unrest() const {
  if (clients_.open() != 0) return std::to_string(clients_.open()) + " connections are open";
  if (wire_.is_busy()) return "frames are on the wire";
  if (!host_.is_quiet()) return "the host is busy";
  if (board_.sum(&WorkerLoad::flows) != 0)
    return std::to_string(board_.sum(&WorkerLoad::flows)) + " flows are known";
  if (board_.sum(&WorkerLoad::held_packets) != 0)
    return std::to_string(board_.sum(&WorkerLoad::held_packets)) + " packets are held";
  if (board_.sum(&WorkerLoad::sweeps_begun) != board_.sum(&WorkerLoad::sweeps_done)) return "flows are swept";
  for (uint16_t slot = 0; slot < board_.slot_count(); ++slot) {
    const SlotLoad& load = board_.slot(SlotIndex{slot});
    if (load.in_flight.get() != 0) return "slot " + std::to_string(slot) + " has flows in flight";
    if (load.flows_opened.get() != load.flows_closed.get())
      return "slot " + std::to_string(slot) + " has flows that were not closed";
  }
  const Config& config = control_->config();
  for (uint16_t index = 0; index < config.services.size(); ++index) {
    const ServiceConfig& service = config.services[index];
    if (board_.service(ServiceIndex{index}).held_syns.get() != 0) return service_words(index);
    const bool lets_go =
        std::any_of(service.policies.begin(), service.policies.end(),
                    [](const PolicyConfig& policy) { return policy.kind == PolicyKind::kIdle; });
    uint32_t size = 0;
    std::string moving;
    for (const Instance& instance : control_->instances()) {
      if (!(instance.service == ServiceIndex{index})) continue;
      if (instance.counts()) ++size;
      const bool rests = instance.state == InstanceState::kAbsent ||
                         instance.state == InstanceState::kActive ||
                         instance.state == InstanceState::kShell || instance.state == InstanceState::kStandby;
      if (!rests) moving = name_of(instance);
    }
    if (!moving.empty()) return moving;
    if (size < service.instances_min || (lets_go && size > service.instances_min))
      return service_words(index) + ": " + std::to_string(size) + " instances";
    if (!service.removed || service.name.empty()) continue;
    for (const Instance& instance : control_->instances()) {
      if (instance.service == ServiceIndex{index}) return service_words(index) + ", has " + name_of(instance);
    }
    return service_words(index);
  }
  return {};
}

// With every instance gone: nothing of anybody is left, and both sides have counted alike.
void World::check_end() const {
  HOLDS(scene_.journal, board_.sum(&WorkerLoad::nic_rx_packets) <= wire_.given_to_nic(),
        "workers take no more from the NIC than clients gave it", "");
  HOLDS(scene_.journal, board_.sum(&WorkerLoad::packets_to_guest) == host_.packets_given(),
        "workers and guests have counted alike what went to guests",
        std::to_string(board_.sum(&WorkerLoad::packets_to_guest)) + " and " +
            std::to_string(host_.packets_given()));
  HOLDS(scene_.journal, board_.sum(&WorkerLoad::packets_from_guest) == host_.packets_sent(),
        "workers and guests have counted alike what came from guests",
        std::to_string(board_.sum(&WorkerLoad::packets_from_guest)) + " and " +
            std::to_string(host_.packets_sent()));
  for (uint16_t slot = 0; slot < board_.slot_count(); ++slot) {
    HOLDS(scene_.journal, board_.slot(SlotIndex{slot}).in_flight.get() == 0, "no instance, no flow in flight",
          "slot " + std::to_string(slot));
    HOLDS(scene_.journal, board_.slot(SlotIndex{slot}).attached_generation.get() == 0,
          "no instance, nothing attached", "slot " + std::to_string(slot));
  }
}

// Silent to the sender: nobody is told.
uint64_t World::silences() const {
  constexpr DropReason kAnswered[] = {DropReason::k_hold_duplicate, DropReason::k_challenge_passed,
                                      DropReason::k_refusal_done,   DropReason::k_no_flow_reset,
                                      DropReason::k_guest_no_flow,  DropReason::k_guest_early_reset};
  // A client whose proof was pushed out is challenged again, and again.
  uint64_t sum = board_.sum(&WorkerLoad::proofs_displaced);
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    const auto which = static_cast<DropReason>(reason);
    if (std::find(std::begin(kAnswered), std::end(kAnswered), which) == std::end(kAnswered))
      sum += board_.dropped(which);
  }
  return sum;
}

void World::count_coverage() const {
  Coverage& covered = scene_.covered;
  for (uint16_t index = 0; index < board_.service_count(); ++index) {
    const ServiceLoad& load = board_.service(ServiceIndex{index});
    covered.count(Event::k_syns_admitted, load.admitted.get());
    covered.count(Event::k_rejected_full, load.rejected(Rejection::kFull).get());
    covered.count(Event::k_rejected_hold_full, load.rejected(Rejection::kHoldFull).get());
    covered.count(Event::k_rejected_refusing, load.rejected(Rejection::kRefusing).get());
    covered.count(Event::k_rejected_expired, load.rejected(Rejection::kExpired).get());
    const auto with = [&](Refusal how) { return load.rejected_with[static_cast<size_t>(how)].get(); };
    covered.count(Event::k_refused_by_reset, with(Refusal::kReset));
    covered.count(Event::k_refused_by_http503, with(Refusal::kHttp503));
    covered.count(Event::k_refused_by_drop, with(Refusal::kDrop));
    covered.count(Event::k_refused_silently, with(Refusal::kSilent));
    covered.count(Event::k_challenges_sent, load.challenges_sent.get());
    covered.count(Event::k_challenges_passed, load.challenges_passed.get());
  }
  covered.count(Event::k_packets_untracked, board_.sum(&WorkerLoad::untracked));
  covered.count(Event::k_proofs_displaced, board_.sum(&WorkerLoad::proofs_displaced));
  covered.count(Event::k_no_memory, board_.sum(&WorkerLoad::no_memory));
  covered.count(Event::k_load_records_lost, board_.sum(&WorkerLoad::load_records_lost));
  covered.count(Event::k_packets_handed_over, board_.sum(&WorkerLoad::handed_over));
  covered.count(Event::k_resets_no_flow, board_.sum(&WorkerLoad::resets_no_flow));
  covered.count(Event::k_sweeps, board_.sum(&WorkerLoad::sweeps_done));
  const auto dropped = [&](Event event, DropReason reason) { covered.count(event, board_.dropped(reason)); };
  dropped(Event::k_dropped_hand_over_full, DropReason::k_hand_over_full);
  dropped(Event::k_dropped_guest_ring_full, DropReason::k_guest_ring_full);
  dropped(Event::k_dropped_guest_gone, DropReason::k_guest_gone);
  dropped(Event::k_dropped_guest_spoofed, DropReason::k_guest_spoofed);
  dropped(Event::k_dropped_guest_no_flow, DropReason::k_guest_no_flow);
  dropped(Event::k_dropped_guest_early_reset, DropReason::k_guest_early_reset);
  dropped(Event::k_dropped_flow_table_full, DropReason::k_flow_table_full);
  dropped(Event::k_dropped_hold_duplicate, DropReason::k_hold_duplicate);
  dropped(Event::k_dropped_client_gave_up, DropReason::k_client_gave_up);
  dropped(Event::k_dropped_nic_tx_full, DropReason::k_nic_tx_full);
}

}  // namespace cheshire::sim
