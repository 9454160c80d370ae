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

// writer: the worker; readers: the offload manager, telemetry. All cumulative.
struct FlowMarkLoad {
  Counter seen;    // packets of the service that reached the worker
  Counter marked;  // those of them with the service's mark
};

struct FlowMarkBoard {
  explicit FlowMarkBoard(size_t services) : by_service(services) {}
  std::vector<FlowMarkLoad> by_service;
  Counter wrong;  // packets with a mark that was not theirs
};

}  // namespace cheshire
