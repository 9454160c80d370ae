// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/departures.h"

#include "controlplane/fleet/instance_life.h"
#include "log.h"

namespace cheshire {

void Departures::progress(uint64_t now_ns) {
  steering_.reclaim();
  for (const SlotIndex slot : slots_) {
    Instance& instance = pool_.at(slot);
    if (instance.state == InstanceState::kLeaving && steering_.passed_by_all(instance.table_version)) {
      change_state(instance, LifeCause::kForgotten, now_ns);
      if (!instance.process_gone) orders_.stop(instance.id);
    }
    if (instance.state == InstanceState::kStopping && instance.process_gone && !connected_(slot)) {
      log::info("{}: gone", instance_name(*config_.now, instance));
      change_state(instance, LifeCause::kGone, now_ns);
      instance.sweeps_due = board_.worker(config_.now->worker_of(instance.service)).sweeps_begun.get();
    }
  }
  std::erase_if(slots_, [this](SlotIndex slot) { return pool_.at(slot).state == InstanceState::kAbsent; });
}

}  // namespace cheshire
