// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What one worker knows of one slot, and of the instance in it. The parts of the worker share the array, because what a
// packet needs has to lie in one cache line; each field has one writer among them, named above it. Others read.
// tests/unit/style_test.py holds the code against these comments.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/flow/huge_array.h"
#include "dataplane/flow/packet_queue.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/port/guest_port.h"
#include "ids.h"
#include "load_board.h"
#include "steering_table.h"

namespace cheshire {

struct HeldSyn;

struct alignas(64) Slot {
  // What a packet for it needs, with the head of its queue: one cache line.
  // writer: slots
  GuestPort* port = nullptr;  // its rings are up
  Generation generation;      // from the steering table; 0: nobody is expected here
  Generation living;          // likewise, and 0 once it lost its port: whose flows are current
  ServiceIndex service;       // of the instance
  SlotRole role = SlotRole::kEmpty;
  bool ready = false;             // this generation's SYN-ACK was seen
  bool ready_unreported = false;  // … and is about to leave through the NIC
  // writer: load_report
  bool touched = false;  // it is on the list of slots to report of
  // writer: egress
  bool to_flush = false;  // its queue is on a list of queues to flush,
  bool stuck = false;     // … on that of those whose guest takes nothing
  // writer: guest_poll
  bool hot = false;  // it is on the list of guests that are looked at first
  // writer: flow_life
  bool soft_limit_told = false;  // since it was last below the limit
  // writer: guest_poll
  uint16_t empty_looks = 0;  // since packets came or went last, while it is hot
  // writer: flow_life
  uint32_t in_flight = 0;  // flows open now
  // writer: load_report
  uint32_t in_flight_peak = 0;  // since its last load record
  // writer: worker
  SlotLoad* load = nullptr;  // its row on the board, for good
  // writer: egress
  PacketQueue queue;

  // Per packet from it, per handshake and per publication.
  // writer: load_report
  uint64_t asked_ns = 0;        // it got something to answer then, and was not heard since; 0: nothing
  uint64_t heard_ns = 0;        // its last packet
  FlowKey timed;                // whose handshake is being timed,
  uint64_t timed_since_ns = 0;  // … since its SYN was given to the instance; 0: none is
  uint64_t consumed = 0;        // of its ring, at the last publication
  bool stall_told = false;      // since it last consumed something
  // writer: instance_limits
  bool limit_is_auto = false;  // its limit is found by itself
  // writer: egress
  uint32_t queue_counted = 0;  // packets of its queue that are counted as held
  // writer: flow_life
  uint32_t owing = 0;  // flows with FlowFlag::kOwesAnswer
  // writer: slots
  uint32_t proofs_wanted = 0;  // how often it was to show, from now on, that it is ready
  uint64_t ready_ns = 0;       // when its SYN-ACK was seen
  PortMessage up;              // that told of `port`
  // writer: cold_start
  uint32_t proofs_begun = 0;    // of proofs_wanted; where that is more, our own probe is due at once
  uint64_t probe_again_ns = 0;  // when the next one is due, while it is not ready
  HeldSyn* offered = nullptr;   // the SYN whose answer will make it ready

  // There is an instance; on standby its port may be down for a while.
  [[nodiscard]] bool exists() const { return living.value != 0; }
  [[nodiscard]] bool alive() const { return port != nullptr && exists(); }
};
static_assert(offsetof(Slot, queue) + sizeof(uint64_t) + sizeof(rte_mbuf*) <= 64,
              "one cache line has what a packet needs, its queue's head and first place included");

using SlotArray = HugeArray<Slot>;

}  // namespace cheshire
