// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The life of a flow's entry, from its SYN to its end: the only hands on an entry's state, flags and sequence memory,
// and on how many flows are in flight on an instance. One function for each transition:
//
//   (none)    hold()                  → kHeld        a SYN is parked, no instance has it
//   (none)    give()                  → kSynSent     the SYN goes to an instance that is ready
//   kHeld     give()                  → kSynSent     released to one that is ready; or offered to one that is not,
//                                                    with kHoldsSyn, as the parked SYN stays
//   kSynSent  withdraw()              → kHeld        that one is gone, or takes too long while another is ready
//   kSynSent  answered()              → kOpen        the instance's SYN-ACK was seen
//   kOpen     client_segment(),
//             guest_segment()         → kClosing     a reset, or both sides finished and the client has it all
//   kClosing  client_segment(),
//             guest_segment()         → kOpen        it was reset, and goes on: the reset was forged, or not believed
//   any       erase()                 → (none)       aged, lost with its instance, begun anew
//
// In flight are kSynSent and kOpen. A flow is current while its slot's living instance is the one it was given to; an
// instance that is gone has nothing in flight, whatever entries it left (Slots sweeps them).
//
// Above load_report and instance_limits. The worker's thread only. No DPDK.
#pragma once

#include <cstdint>

#include "config.h"
#include "dataplane/flow/chooser.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/packet/parse.h"
#include "dataplane/worker/instance_limits.h"
#include "dataplane/worker/load_report.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/turn.h"

namespace cheshire {

// A SYN for an open flow of a draining instance is a new connection if the flow was quiet for so long.
inline constexpr uint64_t kReusedAfterQuietNs = kNsPerSecond;

class FlowLife {
 public:
  FlowLife(const WorkerConfig& config, HashKey table_key, SlotArray& slots, Chooser& chooser,
           InstanceLimits& limits, LoadReport& report);

  // To look flows up; entries change through this class only.
  [[nodiscard]] FlowTable& table() { return table_; }
  [[nodiscard]] const FlowTable& table() const { return table_; }

  // Whether the instance that has the flow is the one in its slot, and lives.
  [[nodiscard]] bool is_current(const FlowEntry& flow) const {
    return slots_[flow.slot.value].living == flow.generation;
  }
  // A SYN came for a flow that is open. Its guest would answer that (RFC 9293 3.10.7.4), and a client that has begun
  // anew would reset it and try again a second later. One that drains is spared that: it is to get no new flows. Not
  // where the flow was just in use, so that a forged SYN breaks nothing that anybody works with.
  [[nodiscard]] bool is_forgotten_by_client(const Turn& turn, const FlowEntry& flow) const;

  // An entry for a flow that has none, for the client that sent this frame; nullptr: the table is full.
  [[nodiscard]] FlowEntry* insert(const FlowKey& key, const ParsedPacket& parsed,
                                  const EthernetHeader& header);
  // The client of an entry has begun anew, perhaps elsewhere.
  static void set_client(FlowEntry& flow, const ParsedPacket& parsed, const EthernetHeader& header) {
    flow.client_mac = header.source;
    flow.vlan_tci = parsed.vlan_tci;
  }

  void hold(const Turn& turn, FlowEntry& flow, uint32_t held_syn);
  void give(const Turn& turn, FlowEntry& flow, SlotIndex index);
  void withdraw(const Turn& turn, FlowEntry& flow);
  // Its parked SYN has left the hold.
  static void syn_left_hold(FlowEntry& flow) {
    flow.flags.clear(FlowFlag::kHoldsSyn);
    flow.guest_next = 0;
  }
  // … and goes to an instance as if it had just come.
  static void begin_anew(FlowEntry& flow) {
    flow.flags = FlowFlags{};
    flow.guest_next = 0;
  }
  // `guest_next`: the sequence number after the SYN-ACK.
  static void answered(FlowEntry& flow, uint32_t guest_next);
  void client_segment(const Turn& turn, FlowEntry& flow, const ParsedPacket& parsed,
                      const EthernetHeader& header, const TcpHeader& tcp);
  void guest_segment(const Turn& turn, FlowEntry& flow, const ParsedPacket& parsed, const TcpHeader& tcp);
  void erase(const Turn& turn, FlowEntry& flow);

  // What nearly every segment is: it tells nothing about its flow but that it lives, and how far the guest has sent. In
  // line. From the client: whether this one is such a segment.
  [[nodiscard]] static bool is_plain_from_client(const FlowEntry& flow, bool has_payload,
                                                 const EthernetHeader& header);
  [[nodiscard]] bool is_plain_from_guest(const FlowEntry& flow, SlotIndex index, bool has_payload) const;
  static void note_seen(FlowEntry& flow, uint32_t now) {
    // A line that is not written need not be written back.
    if (flow.last_seen != now) flow.last_seen = now;
  }
  static void note_guest_next(FlowEntry& flow, uint32_t next) {
    if (static_cast<int32_t>(next - flow.guest_next) > 0) flow.guest_next = next;
  }
  // A packet of it was sampled on its way over: whether for the second time.
  [[nodiscard]] static bool met_again(FlowEntry& flow) {
    flow.flags.toggle(FlowFlag::kMetOnce);
    return !flow.flags.has(FlowFlag::kMetOnce);
  }

  // A new instance in the slot, or none: nothing is in flight.
  void begin_instance(SlotIndex index);
  void end_instance(SlotIndex index) { set_in_flight(index, 0); }
  // Forgets flows that were quiet for too long, a piece of the table at a time.
  void age(const Turn& turn);

 private:
  void set_in_flight(SlotIndex index, uint32_t in_flight);
  void set_owing(const Turn& turn, FlowEntry& flow, bool owes);
  void close(const Turn& turn, FlowEntry& flow);
  void reopen_if_reset(FlowEntry& flow);

  const WorkerConfig config_;
  FlowTable table_;
  SlotArray& slots_;
  Chooser& chooser_;
  InstanceLimits& limits_;
  LoadReport& report_;
  uint64_t aged_ns_ = 0;
  size_t age_cursor_ = 0;
};

inline bool FlowLife::is_plain_from_client(const FlowEntry& flow, bool has_payload,
                                           const EthernetHeader& header) {
  constexpr FlowFlags kTell =
      FlowFlag::kReset | FlowFlag::kHoldsSyn | FlowFlag::kFinFromClient | FlowFlag::kFinFromGuest;
  constexpr FlowFlags kAsUsual = FlowFlag::kConfirmed | FlowFlag::kOwesAnswer;
  constexpr unsigned kLooked = FlowEntry::condition_of(FlowState{0xff}, kTell | kAsUsual);
  // An answer that is owed already: payload tells nothing new.
  const unsigned no_payload = FlowEntry::condition_of(FlowState{0}, FlowFlag::kOwesAnswer);
  const unsigned condition = flow.condition() | (has_payload ? 0U : no_payload);
  return (condition & kLooked) == FlowEntry::condition_of(FlowState::kOpen, kAsUsual) &&
         flow.came_untagged_as(header);
}

inline bool FlowLife::is_plain_from_guest(const FlowEntry& flow, SlotIndex index, bool has_payload) const {
  if (!(flow.slot == index) || !(flow.generation == slots_[index.value].generation)) return false;
  constexpr uint8_t kTell = (FlowFlag::kReset | FlowFlag::kHoldsSyn).bits();
  const bool answers = has_payload && flow.flags.has(FlowFlag::kOwesAnswer);
  return flow.state == FlowState::kOpen && (flow.flags.bits() & kTell) == 0 && !answers &&
         flow.vlan_tci == kNoVlan;
}

}  // namespace cheshire
