// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a guest's segment does, where it takes more than to be passed on. A guest is hostile until each packet has shown
// otherwise: it may speak from its own MAC, address and port only (read_from_guest() sees to that), and only in flows
// that it was given.
//
// Above cold_start and untracked. The worker's thread only. No DPDK.
#pragma once

#include "dataplane/worker/cold_start.h"
#include "dataplane/worker/egress.h"
#include "dataplane/worker/flow_life.h"
#include "dataplane/worker/load_report.h"
#include "dataplane/worker/turn.h"
#include "dataplane/worker/untracked.h"

namespace cheshire {

// What guest segments work with; all outlive them.
struct GuestSegmentsLinks {
  LoadReport* report;
  FlowLife* flow_life;
  Egress* egress;
  ColdStarts* cold_start;
  Untracked* untracked;
};

class GuestSegments {
 public:
  GuestSegments(SlotArray& slots, const GuestSegmentsLinks& links) : slots_(slots), links_(links) {}

  // `flow`: nullptr if there is none.
  void act(const Turn& turn, SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed, FlowEntry* flow);

 private:
  void of_flow(const Turn& turn, SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed,
               FlowEntry& flow);
  void without_flow(const Turn& turn, SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed);

  SlotArray& slots_;
  const GuestSegmentsLinks links_;
};

}  // namespace cheshire
