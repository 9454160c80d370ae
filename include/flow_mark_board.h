// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a worker tells the offload manager (dataplane/flow_offload.h) about packets that the NIC may have marked.
// A mark is a service's index plus one, and a hint: the worker compares the service's address and port with the
// packet's, and looks the service up by itself where they differ.
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

struct FlowMarkBoard {
  explicit FlowMarkBoard(size_t services, size_t workers = 1) : by_service(services), by_worker(workers) {}
  // Packets with a mark that was not theirs.
  [[nodiscard]] uint64_t wrong() const {
    uint64_t sum = 0;
    for (const Wrong& worker : by_worker) sum += worker.marks.get();
    return sum;
  }

  std::vector<FlowMarkLoad> by_service;
  struct alignas(64) Wrong {
    Counter marks;  // writer: that worker; readers: the same
  };
  std::vector<Wrong> by_worker;
};

}  // namespace cheshire
