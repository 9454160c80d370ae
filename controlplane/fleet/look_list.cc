// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/look_list.h"

namespace cheshire {
namespace {

constexpr size_t kSlotsPerRound = 64;  // a service with more is looked at as a whole

}  // namespace

void LookList::add_in_turn(const InstancePool& pool) {
  size_t slots = 0;
  for (size_t seen = 0; seen < listed_.size() && slots < kSlotsPerRound; ++seen) {
    const ServiceIndex index{static_cast<uint16_t>(next_in_turn_)};
    slots += pool.size_of(index);
    add(index);
    next_in_turn_ = (next_in_turn_ + 1) % listed_.size();
  }
}

}  // namespace cheshire
