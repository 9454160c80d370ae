// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a worker tells the control thread as it happens: one fixed record on an SPSC ring, one ring per
// worker.
//
// A record is a hint to look now; the truth is on the load board (load_board.h), so a full ring loses nothing
// but time: the worker counts the loss and goes on.
#pragma once

#include <cstdint>
#include <type_traits>

#include "ids.h"

namespace cheshire {

inline constexpr uint16_t kLoadRecordVersion = 1;

enum class LoadEdge : uint8_t {
  kPeriodic,   // nothing special: the instance was touched since the last publication
  kDemand,     // a SYN waits and no instance can take it
  kSoftLimit,  // an instance reached its soft limit of flows in flight
  kAttached,   // an instance's vrings are up
  kReady,      // an instance answered its first SYN
  kDead,       // an instance lost its port without our order
  kDrained,    // the last flow of a draining instance ended
  kWake,       // a packet came for a flow of an instance on standby
};

struct LoadRecord {
  uint16_t version = kLoadRecordVersion;
  LoadEdge edge = LoadEdge::kPeriodic;
  uint8_t reserved = 0;
  ServiceIndex service;
  SlotIndex slot;             // meaningless with kDemand
  Generation generation;      // of the instance in that slot
  uint32_t in_flight = 0;     // of that instance
  uint64_t time_ns = 0;       // monotonic
  uint32_t waiting_syns = 0;  // of the service
  uint32_t reserved2 = 0;
  uint64_t flows_opened = 0;        // of that slot, cumulative
  uint64_t packets_to_guest = 0;    // of that slot, cumulative
  uint64_t packets_from_guest = 0;  // of that slot, cumulative
};
static_assert(sizeof(LoadRecord) == 56 && std::is_trivially_copyable_v<LoadRecord>);
static_assert(std::is_standard_layout_v<LoadRecord>);

}  // namespace cheshire
