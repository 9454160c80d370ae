// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One polling worker: everything that happens to a packet happens in here.
//
//   clients ─► nic ─► parse ─► classify ─► flow table ─ hit ─────────────► slot's queue ─► guest
//                │drop           │not ours      │ miss, SYN ─► steer ─ ready ──┘
//                                                          └─ nobody ─► hold queue ─ (SYN-ACK seen) ─┘
//   clients ◄─ nic ◄─ rewrite ◄─ checks (own address? own flow?) ◄─ guest
//
// turn() is one round; run it from one thread. It never allocates, locks, logs or waits. What it is told
// comes from three places, all read without waiting: the steering table (control thread), port messages (the
// thread that watches vhost-user), the packets. What it tells goes to the load board and the load ring.
//
// There may be several workers. They share nothing but what is read only: a service has one worker, its owner, and the
// owner alone has its flows, its instances and their ports. A packet that came to another worker's receive queue is
// handed over as it is (hand_over.h), and the owner treats it as if it had received it.
//
// Each packet that comes in leaves in exactly one way: forwarded, answered, queued or held, or dropped with a
// reason (load_board.h states the sum, tests/packets checks it).
//
// What is below, each part with its own state, in a file of its own; a part knows only those before it:
//
//   load_report      records for the control thread, and what is observed of an instance over time
//   guest_poll       whose rings are looked at when
//   egress           the ways out, and the counters of the conservation law
//   instance_limits  how many flows each instance may have
//   flow_life        a flow's entry from its SYN to its end
//   slots            who is in which slot: steering table, ports, sweeps
//   admission        which new flows are let in, and what the others are told
//   cold_start       SYNs that wait for an instance, and how it is asked whether it is ready
//   untracked        flows that found no room in the flow table
//   exchange         packets from and to other workers
//   client_segments, guest_segments   what a packet does that is not simply passed on
#pragma once

#include <cstdint>

#include "config.h"
#include "dataplane/flow/chooser.h"
#include "dataplane/flow/hold_queue.h"
#include "dataplane/flow/long_flows.h"
#include "dataplane/flow/steering_hash.h"
#include "dataplane/port/guest_port.h"
#include "dataplane/port/nic_port.h"
#include "dataplane/worker/admission.h"
#include "dataplane/worker/client_segments.h"
#include "dataplane/worker/cold_start.h"
#include "dataplane/worker/egress.h"
#include "dataplane/worker/exchange.h"
#include "dataplane/worker/flow_life.h"
#include "dataplane/worker/guest_poll.h"
#include "dataplane/worker/guest_segments.h"
#include "dataplane/worker/hand_over.h"
#include "dataplane/worker/instance_limits.h"
#include "dataplane/worker/load_report.h"
#include "dataplane/worker/packet_burst.h"
#include "dataplane/worker/service_finder.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/slots.h"
#include "dataplane/worker/turn.h"
#include "dataplane/worker/untracked.h"
#include "doorbell.h"
#include "flow_mark_board.h"
#include "load_board.h"
#include "load_record.h"
#include "published.h"
#include "spsc_ring.h"
#include "steering_table.h"

namespace cheshire {

struct WorkerOptions {
  size_t number = 0;  // of this worker, from 0; as a reader of the steering table, too
  size_t slots = 0;
  size_t services = 0;
  size_t held_syns_max = 0;
  WorkerConfig config;
  HashKey flow_hash_key;
  HashKey cookie_key;                               // the same for all workers
  rte_mempool* pool = nullptr;                      // packets of our own, and of guests
  uint32_t packets_per_sample = kPacketsPerSample;  // a power of two, at least 2 * kBurst
};

// What the worker shares with other threads; all outlive it.
struct WorkerLinks {
  NicPort* nic;
  Published<SteeringTable>* steering;
  SpscRing<PortMessage>* port_messages;  // of this worker; producer: the vhost-user thread
  SpscRing<LoadRecord>* load_ring;       // of this worker; consumer: the control thread
  LoadBoard* board;
  FlowMarkBoard* marks = nullptr;        // nullptr: the NIC sets none
  HandOver* hand_over = nullptr;         // to and from the other workers; nullptr: there are none
  SpscRing<PinRequest>* pins = nullptr;  // of this worker, with `marks`; consumer: the offload manager
  Doorbell* doorbell = nullptr;          // of the control thread, where it naps: rung for edges
};

class Worker {
 public:
  Worker(const WorkerOptions& options, const WorkerLinks& links);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // Frees every packet that is still held or queued, counted as dropped.
  ~Worker() = default;

  // One round. Returns whether there was anything to do.
  bool turn(uint64_t now_ns);

  // Its own thread, between two turns: whether nothing can come but packets of clients, and what other threads tell:
  // there is no guest, no SYN that waits, nothing to sweep.
  [[nodiscard]] bool waits_for_clients_only() const {
    return slots_.alive().empty() && hold_.size() == 0 && !slots_.is_sweeping();
  }
  // Likewise: whether another worker has given it something.
  [[nodiscard]] bool has_incoming() const { return exchange_.has_incoming(); }

  // Any thread: how many PortMessage::kDown were obeyed so far. The worker has not touched those ports since.
  [[nodiscard]] uint64_t downs_acknowledged() const { return slots_.downs_acknowledged(); }

 private:
  void housekeeping();
  bool receive_from_clients();
  bool receive_from_workers();
  bool receive_from_guests(bool clients_came);
  void note_marks(Counter WorkerMarks::*watched);
  void act_on_clients();
  [[nodiscard]] bool pass_on_to_guest(uint16_t i, uint32_t now);
  void act_on_guest(SlotIndex index, Slot& slot);
  [[nodiscard]] bool pass_on_to_client(uint16_t i, SlotIndex index, FlowEntry* flow, uint32_t now);
  void transmit();

  const WorkerOptions options_;
  const NicQueue nic_;
  FlowMarkBoard* const marks_;
  const WorkerBoard board_;

  Turn turn_;
  PacketBurst burst_;
  // Tables that several parts read, each written by the part that is named.
  SlotArray slot_array_;  // slot.h says which field by whom
  HoldQueue hold_;        // cold_start
  Chooser chooser_;       // slots: members; flow_life and instance_limits: their load
  ServiceFinder finder_;  // slots

  LoadReport report_;
  GuestPoll guest_poll_;
  Egress egress_;
  InstanceLimits limits_;
  FlowLife flow_life_;
  Slots slots_;
  Admission admission_;
  ColdStarts cold_start_;
  Untracked untracked_;
  Exchange exchange_;
  ClientSegments client_segments_;
  GuestSegments guest_segments_;
};

}  // namespace cheshire
