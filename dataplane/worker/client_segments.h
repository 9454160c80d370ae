// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a client's packet does, where it takes more than to be passed on: a SYN is steered, a segment tells something
// about its flow, or has none.
//
// Above cold_start, admission and untracked. The worker's thread only. No DPDK.
#pragma once

#include "dataplane/worker/admission.h"
#include "dataplane/worker/cold_start.h"
#include "dataplane/worker/egress.h"
#include "dataplane/worker/flow_life.h"
#include "dataplane/worker/load_report.h"
#include "dataplane/worker/packet_burst.h"
#include "dataplane/worker/turn.h"
#include "dataplane/worker/untracked.h"

namespace cheshire {

// What client segments work with; all outlive them.
struct ClientSegmentsLinks {
  HoldQueue* hold;
  LoadReport* report;
  FlowLife* flow_life;
  Egress* egress;
  Admission* admission;
  ColdStarts* cold_start;
  Untracked* untracked;
};

class ClientSegments {
 public:
  ClientSegments(const WorkerBoard& board, const ClientSegmentsLinks& links) : board_(board), links_(links) {}

  // Acts on one packet of a burst that was read and looked up.
  void act(const Turn& turn, PacketBurst& burst, uint16_t i);

 private:
  void answer_or_drop(const Turn& turn, Step step, rte_mbuf* packet, const ParsedPacket& parsed);
  void without_service(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed);
  void without_flow(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key);
  void of_flow(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, FlowEntry& flow);
  void of_lost_flow(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, FlowEntry& flow);
  void steer(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key);

  const WorkerBoard board_;
  const ClientSegmentsLinks links_;
};

}  // namespace cheshire
