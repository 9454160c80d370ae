// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Flows that the flow table had no room for: where their instance's replies go to.
//
// Such a flow is not refused. Its packets go to the instance that consistent hashing names, which is the same
// for each of them as long as the service's instances are the same; what the flow table would know of it is
// not known. What replies need, the client's MAC and VLAN, is kept here: a cache in which a flow has one place
// and a newer one pushes it out. A flow that was pushed out comes back with its client's next packet; until
// then its replies are dropped, and the guest sends them again.
//
// One thread only. No DPDK.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/packet/flow_key.h"
#include "ids.h"
#include "net.h"

namespace cheshire {

struct ReturnPath {
  FlowKey key;
  Generation generation;  // of the instance in `slot`; 0: this place was never used
  SlotIndex slot;
  uint16_t vlan_tci = 0;
  MacAddress client_mac;
};

class ReturnPaths {
 public:
  static constexpr size_t kPlaces = 4096;

  ReturnPaths() : paths_(kPlaces) {}

  // `steering_hash`: of that key (steering_hash.h), the same each time.
  [[nodiscard]] ReturnPath& place(uint64_t steering_hash) { return paths_[steering_hash % kPlaces]; }
  // nullptr: it was pushed out, or never here.
  [[nodiscard]] ReturnPath* find(uint64_t steering_hash, const FlowKey& key) {
    ReturnPath& path = place(steering_hash);
    return path.generation.value != 0 && path.key == key ? &path : nullptr;
  }

 private:
  std::vector<ReturnPath> paths_;
};

}  // namespace cheshire
