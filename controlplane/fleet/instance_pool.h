// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// All slots with their instances, and which service has which. Slots are made at start; a service takes some
// from those that nobody has, and gives them back once they are empty and settled.
//
//   web has 0 1 2, nobody has 3 4       max: 4 → web takes 3        max: 2 → web gives 2 back, when it is absent
//
// An instance's name is its service, the slot's number among those of its service, and its generation:
// "web/3/17". No two instances ever have one name, whichever slots their service had: a slot that changes hands
// goes on from the largest generation that there is.
//
// Control thread only. It reads the load board, and writes what it says at the fields of Instance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config.h"
#include "controlplane/fleet/instance.h"
#include "load_board.h"

namespace cheshire {

class InstancePool {
 public:
  InstancePool(const Config& config, const LoadBoard& board);
  InstancePool(const InstancePool&) = delete;
  InstancePool& operator=(const InstancePool&) = delete;

  [[nodiscard]] const std::vector<Instance>& all() const { return instances_; }
  [[nodiscard]] std::vector<Instance>& all() { return instances_; }
  [[nodiscard]] Instance& at(SlotIndex slot) { return instances_[slot.value]; }
  [[nodiscard]] const Instance& at(SlotIndex slot) const { return instances_[slot.value]; }
  // Of one service, in the order of their numbers.
  [[nodiscard]] InstanceRange<Instance> of(ServiceIndex service) {
    return InstanceRange<Instance>(services_[service.value].instances);
  }
  [[nodiscard]] InstanceRange<const Instance> of(ServiceIndex service) const {
    return InstanceRange<const Instance>(services_[service.value].instances);
  }
  [[nodiscard]] size_t size_of(ServiceIndex service) const {
    return services_[service.value].instances.size();
  }
  [[nodiscard]] bool all_absent() const;

  // Another config runs from now on: there may be more services, and the next share() has work to do.
  void take_config(const Config& config);
  // The service is gone, and had no slot left.
  void forget(ServiceIndex service) { services_[service.value] = OfService{}; }

  // Gives back what services no longer need, then hands out what they lack, so that each has as many slots as
  // its max. What cannot be done yet is done by a later call.
  void share(const Config& config);
  void share_again() { shared_ = false; }
  // The one that a service would get beyond its own; nullptr: none.
  [[nodiscard]] const Instance* next_spare() const { return spare_.empty() ? nullptr : spare_.front(); }
  // An absent one of the service's own, or one more from those that nobody has, which goes back by share() when
  // there are too many; nullptr: none.
  [[nodiscard]] Instance* find_free(ServiceIndex service);

  // Flows opened in slots that the service has no more, less those of its slots before it had them.
  [[nodiscard]] uint64_t flows_elsewhere(ServiceIndex service) const {
    return services_[service.value].flows_elsewhere;
  }

 private:
  struct OfService {
    std::vector<Instance*> instances;
    uint64_t flows_elsewhere = 0;
  };

  void take(ServiceIndex service, size_t wanted);
  void give_back(ServiceIndex service, const Config& config);
  [[nodiscard]] bool is_settled(const Instance& instance, const Config& config) const;
  [[nodiscard]] Instance* first_absent(ServiceIndex service);

  const LoadBoard& board_;
  std::vector<Instance> instances_;  // by slot; never resized
  std::vector<Instance*> spare_;     // ascending: of slots that no service has
  std::vector<OfService> services_;
  bool shared_ = false;  // every service has as many as it may have
};

}  // namespace cheshire
