// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Between workers: packets of services that another one owns, on their way out and in (hand_over.h), and the long flows
// among those that came, for which the NIC is asked for a rule (long_flows.h).
//
// Above egress. The worker's thread only; what is given is the other's from the push on.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "dataplane/flow/flow_table.h"
#include "dataplane/flow/long_flows.h"
#include "dataplane/worker/egress.h"
#include "dataplane/worker/hand_over.h"
#include "dataplane/worker/packet_burst.h"
#include "dataplane/worker/turn.h"
#include "flow_mark_board.h"
#include "spsc_ring.h"

namespace cheshire {

// What an exchange works with; all outlive it.
struct ExchangeLinks {
  HandOver* hand_over = nullptr;         // nullptr: there are no other workers
  FlowMarkBoard* marks = nullptr;        // nullptr: the NIC sets none
  SpscRing<PinRequest>* pins = nullptr;  // nullptr: there is no queue to pin to
  Egress* egress = nullptr;
};

class Exchange {
 public:
  // `packets_per_sample`: a power of two, at least 2 * kBurst.
  Exchange(size_t worker, uint32_t packets_per_sample, const ExchangeLinks& links);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  // Frees every packet that others gave, counted as dropped.
  ~Exchange();

  [[nodiscard]] bool has_others() const { return links_.hand_over != nullptr; }
  [[nodiscard]] bool has_incoming() const;
  // What is foreign is out of the burst.
  void give_foreign(const Turn& turn, const PacketBurst& burst);
  // The rings of the others, each to be asked in a round; and a burst of one of them, as from the NIC.
  [[nodiscard]] std::span<SpscRing<rte_mbuf*>* const> incoming() const { return incoming_; }
  [[nodiscard]] bool take(SpscRing<rte_mbuf*>& ring, PacketBurst& burst);
  // The giver's table may be older: a service that has changed its worker since had left before, so the packet is
  // nobody's. It is not handed on a second time, or it might go round.
  static void drop_astray(PacketBurst& burst);
  // Looks for a long flow among packets that came over, before they act. `looked_up`: with places and candidates.
  void look_for_long_flow(const Turn& turn, const PacketBurst& looked_up, FlowTable& flows);

 private:
  struct Batch {
    uint16_t count = 0;
    std::array<rte_mbuf*, kBurst> packets;
  };
  void ask_for_pin(const Turn& turn, const FlowKey& key);

  const size_t worker_;
  const ExchangeLinks links_;
  std::vector<Batch> batches_;  // of the burst at hand, by worker
  std::vector<SpscRing<rte_mbuf*>*> incoming_;
  PacketSampler sampler_;  // of what came over
};

}  // namespace cheshire
