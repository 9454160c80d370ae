// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a worker tells the offload manager (dataplane/offload/flow_offload.h) about packets that the NIC may have marked.
// A mark is a service's index plus one, and a hint: the worker compares the service's address and port with the
// packet's, and looks the service up by itself where they differ. And what the manager tells workers about pins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "counter.h"
#include "ids.h"

namespace cheshire {

inline constexpr uint32_t kNoMark = 0;
constexpr uint32_t mark_of(ServiceIndex service) {
  return uint32_t{service.value} + 1;
}

// writer: the service's owner, a cache line of its own; readers: the offload manager, telemetry. All cumulative.
struct alignas(64) FlowMarkLoad {
  Counter seen;    // packets of the service that reached its owner
  Counter marked;  // those of them with the service's mark
};

// writer: that worker, a cache line of its own; readers: the offload manager, telemetry. All cumulative.
struct alignas(64) WorkerMarks {
  Counter wrong;         // packets with a mark that was not theirs
  Counter pins_asked;    // long flows that it asked to be pinned to its queue
  Counter pins_lost;     // bound hit: … and whose request found no room in the ring
  Counter watched_here;  // packets of the watched flow that came by its own queue,
  Counter watched_over;  // … and by way of another worker
};

// writer: the offload manager, a cache line of its own; readers: workers, once per burst.
struct alignas(64) PinOrders {
  Counter taken;  // 1: the NIC takes pins; else nobody need look for long flows
  Counter
      watched;  // FlowKey::as_integer() of a pinned flow whose packets are counted, to verify its rule; 0: none
};

struct FlowMarkBoard {
  explicit FlowMarkBoard(size_t services, size_t workers = 1) : by_service(services), by_worker(workers) {}
  [[nodiscard]] uint64_t sum(Counter WorkerMarks::*count) const {
    uint64_t sum = 0;
    for (const WorkerMarks& worker : by_worker) sum += (worker.*count).get();
    return sum;
  }
  // Packets with a mark that was not theirs.
  [[nodiscard]] uint64_t wrong() const { return sum(&WorkerMarks::wrong); }

  std::vector<FlowMarkLoad> by_service;
  std::vector<WorkerMarks> by_worker;
  PinOrders orders;
};

}  // namespace cheshire
