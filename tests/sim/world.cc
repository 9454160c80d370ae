// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/world.h"

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <utility>

namespace cheshire::sim {
namespace {

using test::Dpdk;

constexpr uint64_t kIdleStepNs = kNsPerMs;
constexpr uint64_t kCalmStepNs = 4 * kNsPerMs;
// Longer than the sum of all that may have to pass one after the other: connections that give up, flows that age, a
// service that refuses after failed boots, drains, idle times, paces.
constexpr uint64_t kRestMostNs = 60 * kNsPerSecond;
constexpr uint64_t kShutdownMostNs = 5 * kNsPerSecond;
constexpr uint64_t kStepsMost = 5'000'000;

// What came and no worker took: a port that is closed frees it.
void empty_nic() {
  std::array<rte_mbuf*, kBurst> packets{};
  for (uint16_t number = 0; number < Dpdk::kQueues; ++number) {
    const NicQueue queue = Dpdk::get().nic().queue(number);
    while (const uint16_t count = queue.receive(packets.data(), kBurst))
      rte_pktmbuf_free_bulk(packets.data(), count);
  }
}

WorkerGroupOptions worker_options(Scene& scene) {
  const Config& config = scene.plan.config;
  Random& random = scene.random;
  return {.workers = config.workers(),
          .each = {.slots = config.slots(),
                   .services = config.services_made(),
                   .held_syns_max = config.held_syns_max,
                   .config = config.worker,
                   .flow_hash_key = {random.any(), random.any()},
                   .cookie_key = {random.any(), random.any()},
                   .pool = Dpdk::get().pool()},
          .load_records = scene.plan.load_records};
}

}  // namespace

World::World(uint64_t seed, bool tells, Coverage& coverage)
    : scene_(seed, tells, coverage),
      config_(scene_.plan.config),
      board_(config_.slots(), config_.services_made(), config_.workers()),
      steering_(config_.workers()),
      host_((scene_.journal.now_ns = kBeginNs, scene_), config_.slots()),
      workers_(std::make_unique<WorkerGroup>(
          worker_options(scene_),
          WorkerGroupLinks{.nic = &Dpdk::get().nic(), .steering = &steering_, .board = &board_})),
      control_(std::make_unique<ControlLoop>(
          config_,
          ControlLinks{.board = &board_,
                       .load_rings = workers_->load_rings(),
                       .steering = &steering_,
                       .status = &status_,
                       .drivers = {{DriverKind::kFake, &host_}},
                       .connected = [this](SlotIndex slot) { return host_.connected(slot); },
                       .vhost_socket = [](SlotIndex slot) { return "/slot-" + std::to_string(slot.value); },
                       .trace = &trace_})),
      wire_(scene_),
      clients_(scene_, wire_,
               {.config = [this]() -> const Config& { return control_->config(); },
                .silences = [this] { return silences(); }}),
      operator_(scene_),
      worker_late_until_ns_(config_.workers()),
      followed_(config_.slots()),
      overdue_(config_.services_made()) {
  host_.connect({.workers = workers_.get(),
                 .steering = &steering_,
                 .service_of = [this](SlotIndex slot) -> const ServiceConfig& {
                   return control_->config().services[control_->instances()[slot.value].service.value];
                 },
                 .is_known =
                     [this](SlotIndex slot) {
                       return steering_.passed_by_all(control_->instances()[slot.value].table_version);
                     }});
}

World::~World() = default;

std::string World::describe() const {
  const Plan& plan = scene_.plan;
  return std::to_string(config_.services.size()) + " services, " + std::to_string(config_.slots()) +
         " slots, " + std::to_string(config_.workers()) + " workers, " +
         std::to_string(config_.worker.flows_max) + " flows" + (plan.fair ? ", fair weather" : "");
}

// --- one moment

uint64_t World::next_moment() const {
  const uint64_t now = scene_.now_ns();
  if (workers_busy_ || host_.is_busy()) return now + 1;
  const uint64_t due = std::min({host_.due_ns(), wire_.due_ns(), clients_.due_ns(), control_next_ns_});
  const uint64_t idle = scene_.calm ? kCalmStepNs : kIdleStepNs;
  return std::clamp(due, now + 1, now + idle);
}

void World::step() {
  Random& random = scene_.random;
  scene_.journal.now_ns = next_moment() + random.below(scene_.plan.step_max_ns);
  if (scene_.plan.trouble_ns != 0 && !scene_.calm && !ending_ && scene_.now_ns() >= next_trouble_ns_)
    trouble();
  if (no_packets_ != nullptr && scene_.now_ns() >= pool_empty_until_ns_) no_packets_.reset();
  wire_.act();
  // Who comes first in a moment is chance.
  constexpr unsigned kPlayers = 4;
  const uint64_t first = random.below(kPlayers);
  for (unsigned i = 0; i < kPlayers; ++i) {
    switch ((first + i) % kPlayers) {
      case 0:
        host_.act();
        // The flows of that port are not swept yet: nothing may come of that, however late their worker is.
        if (std::exchange(scene_.port_went_down, false) && !scene_.calm && !ending_ &&
            random.percent(scene_.plan.late_percent)) {
          worker_is_late(random.below(workers_->size()), random.between(2, 60));
        }
        break;
      case 1:
        workers_act();
        break;
      case 2:
        control_acts();
        break;
      default:
        clients_.act();
    }
  }
  wire_.act();
}

void World::workers_act() {
  workers_busy_ = false;
  const size_t count = workers_->size();
  const uint64_t first = scene_.random.below(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t number = (first + i) % count;
    if (scene_.now_ns() < worker_late_until_ns_[number]) continue;
    for (uint64_t turns = 1 + scene_.random.below(3); turns > 0; --turns) {
      workers_busy_ |= workers_->worker(number).turn(scene_.now_ns());
      check_sum(board_.worker(number));
    }
  }
  scene_.untracked |= board_.sum(&WorkerLoad::untracked) != 0;
  scene_.ring_full |= board_.dropped(DropReason::k_guest_ring_full) != 0;
  check_held();
}

void World::control_acts() {
  if (scene_.now_ns() < control_next_ns_) return;
  control_next_ns_ = scene_.now_ns() + 1 + scene_.random.below(2 * scene_.plan.control_tick_ns);
  static_cast<void>(control_->tick(scene_.now_ns()));
  follow_decisions();
  check_instances();
  check_draining();
  check_table();
  check_levels();
}

void World::trouble() {
  Random& random = scene_.random;
  const Plan& plan = scene_.plan;
  next_trouble_ns_ = scene_.now_ns() + 1 + random.below(2 * plan.trouble_ns);
  host_.trouble();
  if (random.percent(plan.clients.storms_percent)) storm();
  if (random.percent(plan.late_percent)) {
    const uint64_t ms = random.spread(1, 300);
    if (random.percent(50)) {
      worker_is_late(random.below(worker_late_until_ns_.size()), ms);
    } else {
      ++scene_.excuses;
      control_next_ns_ = scene_.now_ns() + ms * kNsPerMs;
      scene_.journal.note(What::kControlLate, ms);
      scene_.covered.count(Event::k_control_late);
    }
  }
  if (random.percent(plan.pool_empty_percent) && no_packets_ == nullptr) {
    const uint64_t ms = random.spread(1, 30);
    no_packets_ = std::make_unique<Dpdk::NoPackets>();
    pool_empty_until_ns_ = scene_.now_ns() + ms * kNsPerMs;
    ++scene_.excuses;
    scene_.journal.note(What::kPoolEmpty, ms);
    scene_.covered.count(Event::k_pool_empty);
  }
  if (random.percent(plan.command_percent)) {
    operator_.act(*control_);
    rounds_since_command_ = 0;
  }
}

// Perhaps while nobody takes what the NIC sends, or while those are late for whom it would be.
void World::storm() {
  Random& random = scene_.random;
  if (random.percent(40)) wire_.stands_until(scene_.now_ns() + random.spread(kNsPerMs, 30 * kNsPerMs));
  const size_t comes_to = clients_.storm();
  if (!random.percent(50)) return;
  for (size_t number = 0; number < worker_late_until_ns_.size(); ++number) {
    if (number != comes_to) worker_is_late(number, random.between(3, 20));
  }
}

void World::worker_is_late(size_t number, uint64_t ms) {
  ++scene_.excuses;
  worker_late_until_ns_[number] = scene_.now_ns() + ms * kNsPerMs;
  scene_.journal.note(What::kWorkerLate, number, ms);
  scene_.covered.count(Event::k_workers_late);
}

// --- its life

uint64_t World::run() {
  CHECK(Dpdk::get().packets_in_use() == 0);
  uint64_t steps = 0;
  scene_.journal.note(What::kPhase, 1);
  const uint64_t load_end_ns = kBeginNs + scene_.plan.load_ns;
  while (scene_.now_ns() < load_end_ns && ++steps < kStepsMost) step();
  HOLDS(scene_.journal, steps < kStepsMost, "a world's load ends in bounded steps", std::to_string(steps));
  if (scene_.plan.ends_under_load) {
    scene_.covered.count(Event::k_ended_under_load);
  } else {
    comes_to_rest();
    scene_.covered.count(Event::k_ended_at_rest);
  }
  shuts_down();
  return scene_.journal.hash();
}

// Nobody calls any more, and nothing goes wrong: all that there was ends.
void World::comes_to_rest() {
  scene_.journal.note(What::kPhase, 2);
  scene_.calm = true;
  wire_.stands_until(0);
  no_packets_.reset();
  std::fill(worker_late_until_ns_.begin(), worker_late_until_ns_.end(), 0);
  if (!scene_.plan.fair) host_.heal();
  const uint64_t deadline_ns = scene_.now_ns() + kRestMostNs;
  while (!is_at_rest() && scene_.now_ns() < deadline_ns) step();
  HOLDS(scene_.journal, is_at_rest(), "when nobody calls any more, everything ends", unrest());
}

// As cheshired does it: instances first, then the drivers, the workers, the sockets.
void World::shuts_down() {
  scene_.journal.note(What::kPhase, 3);
  ending_ = true;
  control_->begin_shutdown();
  control_next_ns_ = 0;
  no_packets_.reset();
  const uint64_t longest_late_ns =
      *std::max_element(worker_late_until_ns_.begin(), worker_late_until_ns_.end());
  const uint64_t deadline_ns = std::max(scene_.now_ns(), longest_late_ns) + kShutdownMostNs;
  while (!(control_->all_gone() && host_.is_quiet()) && scene_.now_ns() < deadline_ns) step();
  HOLDS(scene_.journal, control_->all_gone(), "every instance ends with the daemon", host_.describe());
  HOLDS(scene_.journal, host_.running() == 0, "no VM outlives its daemon", host_.describe());
  // The players outlive what they play with.
  check_end();
  count_coverage();
  check_replay();
  control_.reset();
  workers_.reset();
  scene_.covered.count(Event::k_dropped_shutdown, board_.dropped(DropReason::k_shutdown));
  for (const WorkerLoad& load : board_.workers()) check_sum(load, true);
  HOLDS(scene_.journal, board_.sum(&WorkerLoad::handed_over) == board_.sum(&WorkerLoad::taken_over),
        "what was handed over was taken over, at the end by who frees it", "");
  static_cast<void>(Dpdk::get().take_from_wire());
  empty_nic();
  HOLDS(scene_.journal, Dpdk::get().packets_in_use() == 0, "every packet buffer is back at the end",
        std::to_string(Dpdk::get().packets_in_use()) + " are missing");
}

}  // namespace cheshire::sim
