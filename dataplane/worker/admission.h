// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which new flows are let in, where they go, and what the others are told. Nothing here keeps anything for a flow that
// is not let in: neither a flow entry nor a packet. What is kept is bounded and about addresses and services: cookies'
// keys, proven client addresses, how fast SYNs come. docs/overload.md has the whole of it.
//
// Above egress; decides, and changes no flow and no slot. The worker's thread only; memory is taken at construction. No
// DPDK.
#pragma once

#include <cstdint>
#include <vector>

#include "config.h"
#include "dataplane/flow/chooser.h"
#include "dataplane/flow/source_guard.h"
#include "dataplane/flow/steering_hash.h"
#include "dataplane/packet/syn_cookie.h"
#include "dataplane/worker/egress.h"
#include "dataplane/worker/instance_limits.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/turn.h"
#include "load_board.h"

namespace cheshire {

class Admission {
 public:
  struct Options {
    size_t services = 0;
    WorkerConfig config;
    HashKey cookie_key;  // the same for all workers
    HashKey source_key;
  };
  Admission(const Options& options, const WorkerBoard& board, const SlotArray& slots,
            const SteeringHash& steering_hash, Chooser& chooser, const InstanceLimits& limits,
            Egress& egress);

  // Which instance would get this new flow now.
  [[nodiscard]] Chooser::Choice choose(const Turn& turn, const FlowKey& key);
  // Whether this client has to show first that it receives what is sent to its address; and the packet that asks it to.
  [[nodiscard]] bool must_prove(const Turn& turn, const FlowKey& key, const Chooser::Choice& choice);
  void challenge(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key);
  // A reset: whether it is the answer to a challenge, and was taken as such.
  [[nodiscard]] bool take_proof(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed,
                                const FlowKey& key);
  // How many SYNs of the service may wait after that outcome: as many as the instances can take that may still become
  // ready, and those that will have room with time alone.
  [[nodiscard]] uint32_t hold_bound(const Turn& turn, ServiceIndex index, Chooser::Outcome outcome) const;
  // A SYN that nobody takes. The packet leaves as the answer, or is dropped.
  void reject(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key,
              Rejection why);
  // A segment of no flow, neither SYN nor RST, of a service that refuses by HTTP.
  void refuse_by_http(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key);

 private:
  const WorkerBoard board_;
  const SlotArray& slots_;
  const SteeringHash steering_hash_;
  Chooser& chooser_;
  const InstanceLimits& limits_;
  Egress& egress_;
  SynCookies cookies_;
  SourceGuard sources_;
  std::vector<RateMeter> syn_meters_;  // by service
};

}  // namespace cheshire
