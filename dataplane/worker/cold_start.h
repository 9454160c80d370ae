// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From nobody to an instance that has shown that it is ready: the SYNs that wait for one, and how an instance is asked.
//
// A SYN that nobody can take is parked (hold_queue.h). An instance whose rings are up, and which has not answered yet,
// is offered one waiting SYN at a time, as a copy; its SYN-ACK makes it ready, and the others follow in order of
// arrival. One that no client asks is asked by a probe of our own.
//
//   hold() ─► waiting ─ offer ─► offered ─ answered() ─► its flow goes on
//                │  ▲               │
//                │  └── withdraw() ─┘   the instance is gone, or takes too long while another is ready
//                ├─ release             an instance that is ready takes the SYN itself
//                └─ expire              nobody became ready in time, or ever will: the client is refused
//
// Each of these ends in leave(), the only way out of the hold. What a held SYN owes the conservation law is Egress's.
//
// Above slots and admission. The worker's thread only. No DPDK.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/flow/hold_queue.h"
#include "dataplane/worker/admission.h"
#include "dataplane/worker/egress.h"
#include "dataplane/worker/flow_life.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/slots.h"
#include "dataplane/worker/turn.h"
#include "load_board.h"

namespace cheshire {

// A SYN that was offered to an instance which is not ready yet …
inline constexpr uint64_t kOfferAgainNs = 20 * kNsPerMs;           // … got no answer: once more
inline constexpr uint64_t kOfferAgainAfterResetNs = 2 * kNsPerMs;  // … was reset: nobody listens yet
inline constexpr uint64_t kProbeAgainNs = 20 * kNsPerMs;           // our own probe, the same two
inline constexpr uint64_t kProbeAgainAfterResetNs = 2 * kNsPerMs;
inline constexpr uint64_t kGiveToAnotherAfterNs =
    50 * kNsPerMs;  // … goes to one that is ready, if there is one

// What a cold start works with; all outlive it.
struct ColdStartsLinks {
  HoldQueue* hold;
  Chooser* chooser;
  LoadReport* report;
  FlowLife* flow_life;
  Egress* egress;
  Slots* slots;
  Admission* admission;
};

class ColdStarts {
 public:
  ColdStarts(const WorkerBoard& board, const ColdStartsLinks& links) : board_(board), links_(links) {}
  ColdStarts(const ColdStarts&) = delete;
  ColdStarts& operator=(const ColdStarts&) = delete;
  // Frees every packet that is parked, counted as dropped.
  ~ColdStarts();

  // A SYN that nobody takes now, after that outcome: parked, or rejected.
  void hold(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key,
            Chooser::Outcome outcome);
  // A client's segment for a flow whose SYN is parked, but for a reset after it was offered: that is the instance's.
  void client_segment(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, FlowEntry& flow);
  // The client reset a flow whose SYN is offered.
  void client_gave_up_offered(FlowEntry& flow);

  // To those that can take them, in order of arrival; of one service, or of all.
  void serve(const Turn& turn, ServiceIndex index);
  void serve_all(const Turn& turn);
  // The instance of an offered SYN is gone, or too slow: it waits again.
  void withdraw(const Turn& turn, FlowEntry& flow) { withdraw(turn, at(flow)); }

  // An instance was heard: its SYN-ACK in a flow, or without one; its reset of an offered SYN, or of a probe.
  void syn_ack_of(const Turn& turn, SlotIndex index, FlowEntry& flow);
  void syn_ack_without_flow(const Turn& turn, SlotIndex index);
  void offer_was_reset(const Turn& turn, const FlowEntry& flow);
  void probe_was_reset(const Turn& turn, SlotIndex index);

  // Asks those that were booted ahead of their clients whether they are ready; and those that serve and that nobody has
  // asked anything for a while whether they still are.
  void probe_unproven(const Turn& turn);
  void probe_quiet(const Turn& turn);

 private:
  [[nodiscard]] HeldSyn* at(const FlowEntry& flow) { return links_.hold->at(flow.guest_next); }
  // An instance to be offered a SYN: its rings are up, it has not answered a SYN yet, and none is on its way to it.
  [[nodiscard]] std::optional<SlotIndex> unproven(const Turn& turn, ServiceIndex service) const;
  // Admission::choose() to a queue that has room, or nothing.
  [[nodiscard]] std::optional<SlotIndex> choose_for_held(const Turn& turn, const FlowKey& key);
  [[nodiscard]] bool is_in_vain(const Turn& turn, ServiceIndex index) const;
  void serve_offered(const Turn& turn, ServiceIndex index);
  void serve_waiting(const Turn& turn, ServiceIndex index, bool in_vain);
  void became_ready(const Turn& turn, SlotIndex index, const HeldSyn* syn);
  bool send_probe(const Turn& turn, SlotIndex index);
  void release(const Turn& turn, SlotIndex index, HeldSyn* syn);
  bool offer(const Turn& turn, SlotIndex index, HeldSyn* syn);
  bool deliver_copy(const Turn& turn, SlotIndex index, HeldSyn* syn);
  void withdraw(const Turn& turn, HeldSyn* syn);
  void expire(const Turn& turn, HeldSyn* syn);
  void leave(HeldSyn* syn);
  void note_asked_unproven(const Turn& turn, const Slot& slot);
  void update_levels(ServiceIndex service);

  const WorkerBoard board_;
  const ColdStartsLinks links_;
};

}  // namespace cheshire
