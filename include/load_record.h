// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a worker tells the control thread as it happens: one fixed record on an SPSC ring, one ring per
// worker.
//
// An instance that was touched since the last publication (control.publication) sends one record then,
// however many packets it got; an edge sends one at once. A record is a hint to look now, and carries the
// peaks of its interval; the truth is on the load board (load_board.h), so a full ring loses little but time:
// the worker counts the loss (load_records_lost) and goes on, and control looks at everything every few
// milliseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ids.h"

namespace cheshire {

inline constexpr uint16_t kLoadRecordVersion = 2;

enum class LoadEdge : uint8_t {
  kPeriodic,   // nothing special: the instance was touched since the last publication
  kDemand,     // a SYN waits and no instance can take it
  kSoftLimit,  // an instance reached its soft limit of flows in flight
  kAttached,   // an instance's vrings are up
  kReady,      // an instance answered its first SYN
  kDead,       // an instance lost its port without our order
  kDrained,    // the last flow of a draining instance ended
  kWake,       // a packet came for a flow of an instance on standby
  kStalled,    // an instance has consumed nothing between two looks although packets lie in its ring
};

struct LoadRecord {
  uint16_t version = kLoadRecordVersion;
  LoadEdge edge = LoadEdge::kPeriodic;
  uint8_t reserved = 0;
  ServiceIndex service;
  SlotIndex slot;                   // meaningless with kDemand
  Generation generation;            // of the instance in that slot
  uint32_t in_flight = 0;           // of that instance
  uint32_t in_flight_peak = 0;      // the most since its last record
  uint32_t waiting_syns = 0;        // of the service
  uint64_t time_ns = 0;             // monotonic; the same for all records of one publication
  uint64_t flows_opened = 0;        // of that slot, cumulative
  uint64_t packets_to_guest = 0;    // of that slot, cumulative
  uint64_t packets_from_guest = 0;  // of that slot, cumulative
  uint64_t queue_delay_ns = 0;      // age of the oldest packet that the guest has not consumed; 0: none
};
static_assert(offsetof(LoadRecord, service) == 4 && offsetof(LoadRecord, in_flight) == 12);
static_assert(offsetof(LoadRecord, time_ns) == 24 && offsetof(LoadRecord, queue_delay_ns) == 56);
static_assert(sizeof(LoadRecord) == 64 && std::is_trivially_copyable_v<LoadRecord>);
static_assert(std::is_standard_layout_v<LoadRecord>);

}  // namespace cheshire
