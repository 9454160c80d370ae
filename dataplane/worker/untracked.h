// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Flows without an entry, because the flow table was full when they began: return_paths.h says how they are served,
// docs/architecture.md what they lack.
//
// Above egress. The worker's thread only. No DPDK.
#pragma once

#include <cstdint>

#include "dataplane/flow/chooser.h"
#include "dataplane/flow/return_paths.h"
#include "dataplane/flow/steering_hash.h"
#include "dataplane/worker/egress.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/turn.h"
#include "load_board.h"

namespace cheshire {

class Untracked {
 public:
  // `remember_ns`: after the last SYN without room segments of unknown flows are taken for such flows' for so long.
  Untracked(uint64_t remember_ns, const WorkerBoard& board, const SlotArray& slots,
            const SteeringHash& steering_hash, const Chooser& chooser, Egress& egress)
      : remember_ns_(remember_ns),
        board_(board),
        slots_(slots),
        steering_hash_(steering_hash),
        chooser_(chooser),
        egress_(egress) {}

  // A SYN that found no room.
  void begin(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key);
  // A client's segment without an entry: whether it may be of such a flow, and went to its instance.
  [[nodiscard]] bool take_from_client(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed,
                                      const FlowKey& key);
  // A guest's segment without an entry: whether it is the answer in such a flow, and on its way to the client.
  [[nodiscard]] bool take_from_guest(const Turn& turn, SlotIndex index, rte_mbuf* packet,
                                     const ParsedPacket& parsed);

 private:
  void forward(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key, SlotIndex slot);

  const uint64_t remember_ns_;
  const WorkerBoard board_;
  const SlotArray& slots_;
  const SteeringHash steering_hash_;
  const Chooser& chooser_;
  Egress& egress_;
  ReturnPaths paths_;
  uint64_t until_ns_ = 0;
};

}  // namespace cheshire
