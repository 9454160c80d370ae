// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/worker_group.h"

#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <bit>
#include <string>

#include "naps.h"

namespace cheshire {
namespace {

constexpr uint64_t kFirstNapNs = 10 * kNsPerUs;
constexpr uint32_t kIdleTurnsBeforeSleep = 64;

}  // namespace

WorkerGroup::WorkerGroup(const WorkerGroupOptions& options, const WorkerGroupLinks& links)
    : config_(options.each.config), shares_cpus_(options.shares_cpus) {
  if (options.workers > 1)
    hand_over_ = std::make_unique<HandOver>(options.workers, config_.idle_sleep_ns != 0);
  // An up and a down of every slot, twice.
  const size_t messages = std::bit_ceil(std::max<size_t>(4 * options.each.slots, 2));
  for (size_t number = 0; number < options.workers; ++number) {
    auto& member = *members_.emplace_back(
        std::make_unique<Member>(options.load_records, messages, links.nic->queue(number)));
    WorkerOptions own = options.each;
    own.number = number;
    member.worker = std::make_unique<Worker>(own, WorkerLinks{.nic = links.nic,
                                                              .steering = links.steering,
                                                              .port_messages = &member.messages,
                                                              .load_ring = &member.load_ring,
                                                              .board = links.board,
                                                              .marks = links.marks,
                                                              .hand_over = hand_over_.get(),
                                                              .pins = &member.pins,
                                                              .doorbell = links.doorbell});
  }
}

void WorkerGroup::run(size_t number) {
  const std::string name = size() == 1 ? "cheshire-worker" : "cheshire-w" + std::to_string(number);
  ::prctl(PR_SET_NAME, name.c_str());
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // a nap of 20 us is not to become one of 70
  Member& member = *members_[number];
  EventBell* const bell = hand_over_ == nullptr ? nullptr : hand_over_->bell(number);
  const bool is_woken =
      config_.idle_sleep_ns != 0 && member.queue.prepare_to_sleep(bell == nullptr ? -1 : bell->fd());
  uint32_t idle_turns = 0;
  Naps naps(std::min(kFirstNapNs, config_.idle_sleep_ns), config_.idle_sleep_ns);
  while (stop_.observe() == 0) {
    const bool busy = member.worker->turn(monotonic_ns());
    idle_turns = busy ? 0 : idle_turns + 1;
    if (busy) naps.begin_again();
    if (config_.idle_sleep_ns != 0 && idle_turns >= kIdleTurnsBeforeSleep) {
      const uint64_t ns = naps.next();
      if (is_woken && ns == config_.idle_sleep_ns && member.worker->waits_for_clients_only()) {
        sleep_until_packet(member, bell);
      } else {
        nap(ns);
      }
    } else if (shares_cpus_ && !busy) {
      ::sched_yield();
    }
  }
  member.ended.publish(1);
}

// What came before the interrupt was armed raises none: hence the turn in between.
void WorkerGroup::sleep_until_packet(Member& member, EventBell* bell) {
  member.queue.arm();
  if (!member.worker->turn(monotonic_ns())) {
    const auto sleep = [&] { member.queue.sleep_until_packet(kSleepMaxNs); };
    if (bell == nullptr) {
      sleep();
    } else {
      bell->sleep([&] { return member.worker->has_incoming(); }, sleep);
    }
  }
  member.queue.disarm();
}

std::vector<SpscRing<LoadRecord>*> WorkerGroup::load_rings() {
  std::vector<SpscRing<LoadRecord>*> rings;
  for (const auto& member : members_) rings.push_back(&member->load_ring);
  return rings;
}

bool WorkerGroup::has_load_records() {
  return std::any_of(members_.begin(), members_.end(),
                     [](const auto& member) { return !member->load_ring.empty(); });
}

std::vector<SpscRing<PortMessage>*> WorkerGroup::port_messages() {
  std::vector<SpscRing<PortMessage>*> rings;
  for (const auto& member : members_) rings.push_back(&member->messages);
  return rings;
}

std::vector<SpscRing<PinRequest>*> WorkerGroup::pin_requests() {
  std::vector<SpscRing<PinRequest>*> rings;
  for (const auto& member : members_) rings.push_back(&member->pins);
  return rings;
}

uint64_t WorkerGroup::downs_acknowledged() const {
  uint64_t least = UINT64_MAX;
  for (const auto& member : members_) {
    if (member->ended.observe() == 0) least = std::min(least, member->worker->downs_acknowledged());
  }
  return least;
}

}  // namespace cheshire
