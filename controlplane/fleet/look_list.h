// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which services are looked at in this round: first those of which an edge was told or a driver has news, then
// those that only had packets and some more in turn, so that a lost record, or a deadline, is noticed a few
// milliseconds later. What somebody waits for does not wait for a thousand others. Control thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "controlplane/fleet/instance_pool.h"
#include "ids.h"

namespace cheshire {

class LookList {
 private:
  struct Listed {
    bool first = false;
    bool later = false;
  };

 public:
  explicit LookList(size_t services) : listed_(services) {}

  void add_first(ServiceIndex index) { add(index, &Listed::first, first_); }
  void add(ServiceIndex index) { add(index, &Listed::later, later_); }
  // Services in turn, so many per round that small configs are looked at as a whole.
  void add_in_turn(const InstancePool& pool);

  // Calls look(service) once for each that is listed; one that was among the first is not looked at again.
  template <typename Look>
  void look_at_first(Look&& look) {
    look_at_all(first_, look);
  }
  template <typename Look>
  void look_at_others(Look&& look) {
    look_at_all(later_, look);
  }

  void resize(size_t services) { listed_.resize(services); }

 private:
  void add(ServiceIndex index, bool Listed::*which, std::vector<ServiceIndex>& list) {
    if (listed_[index.value].*which) return;
    listed_[index.value].*which = true;
    list.push_back(index);
  }
  template <typename Look>
  void look_at_all(std::vector<ServiceIndex>& list, Look& look) {
    for (const ServiceIndex index : list) {
      Listed& listed = listed_[index.value];
      if (!listed.first && !listed.later) continue;
      listed = {};
      look(index);
    }
    list.clear();
  }

  std::vector<Listed> listed_;  // by service
  std::vector<ServiceIndex> first_;
  std::vector<ServiceIndex> later_;
  size_t next_in_turn_ = 0;
};

}  // namespace cheshire
