// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A burst of packets, from the NIC or from one guest, on its way through the stages that change nothing: each
// goes over the whole burst, so that memory which one packet waits for is fetched while others are worked on.
//
//   read      what kind of packet it is and whom it is for, or why not: Step; of those that are for a service the
//             flow keys, and where in the flow table that flow would stand. The bytes of all of them are prefetched
//             first, and the table's lines of tags as they become known
//   look_up   in the lines of tags; the lines of the entries are prefetched
//
// What the packets do then, one after the other and in order, is Worker::act_on_clients() and act_on_guest(), and
// behind them ClientSegments and GuestSegments: they may insert and erase flows of later packets of the burst, which the candidates survive
// (flow_table.h).
//
// Stages are free functions; the burst belongs to the worker that calls them.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/flow_table.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/parse.h"
#include "net.h"
#include "steering_table.h"

struct rte_mbuf;

namespace cheshire {

class NicQueue;
class ServiceFinder;

// What a turn costs whatever comes is shared by more packets than with the usual 32.
inline constexpr uint16_t kBurst = 64;

enum class Step : uint8_t {
  kDrop,          // for parsed.reason
  kAnswerArp,     // a client asks for one of our VIPs, or a guest for anybody
  kAnswerEcho,    // a ping of one of our VIPs
  kNoService,     // TCP to a VIP, but to no service's port
  kForeign,       // TCP in a service that another worker owns: to be handed over, and then not ours any more
  kSegment,       // TCP in a service: look its flow up
  kPlainSegment,  // … as plain_segment.h knows it: what nearly every packet is
};
constexpr bool is_segment(Step step) {
  return step >= Step::kSegment;
}

struct PacketBurst {
  uint16_t count = 0;
  std::array<rte_mbuf*, kBurst> packets;
  std::array<ParsedPacket, kBurst> parsed;
  std::array<Step, kBurst> steps;
  std::array<FlowKey, kBurst> keys;  // of segments, foreign ones too
  // Of segments only.
  std::array<FlowTable::Place, kBurst> places;
  std::array<FlowEntry*, kBurst> candidates;
};

void read_from_clients(PacketBurst& burst, ServiceFinder& finder, const NicQueue& nic,
                       const FlowTable& flows);
// Likewise, of what another worker has read before: its checksums are right.
void read_handed_over(PacketBurst& burst, ServiceFinder& finder, const MacAddress& nic_mac,
                      const FlowTable& flows);
// A guest of that service may speak from its own MAC, address and port only.
void read_from_guest(PacketBurst& burst, const SteeringService& service, ServiceIndex index,
                     const FlowTable& flows);
void look_up(PacketBurst& burst, FlowTable& flows);

}  // namespace cheshire
