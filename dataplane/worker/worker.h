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
// The life of a flow entry (flow_table.h) as seen from here:
//
//   SYN, somebody ready       → kSynSent, given to the instance
//   SYN, nobody ready         → kHeld; offered to an instance whose rings are up but which has not shown that
//                               it is ready: kSynSent with the SYN kept (hold_queue.h). An instance that no
//                               client asks is asked by a probe of our own.
//   SYN-ACK from the instance → kOpen; the instance is ready
//   FIN both ways, RST        → kClosing, no longer in flight. A reset from the client's side may be forged: the
//                               guest decides, and the next packet of either side opens the entry again
//   instance gone             → kSynSent with the SYN kept: back to kHeld; kSynSent: forgotten, the client
//                               sends its SYN again; kOpen: reset to the client
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "config.h"
#include "counter.h"
#include "dataplane/flow/admission.h"
#include "dataplane/flow/chooser.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/flow/hold_queue.h"
#include "dataplane/flow/huge_array.h"
#include "dataplane/flow/long_flows.h"
#include "dataplane/flow/packet_queue.h"
#include "dataplane/flow/return_paths.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/rewrite.h"
#include "dataplane/port/guest_port.h"
#include "dataplane/port/nic_port.h"
#include "dataplane/worker/hand_over.h"
#include "dataplane/worker/packet_burst.h"
#include "dataplane/worker/sent_packets.h"
#include "dataplane/worker/service_finder.h"
#include "doorbell.h"
#include "flow_mark_board.h"
#include "load_board.h"
#include "load_record.h"
#include "published.h"
#include "spsc_ring.h"
#include "steering_table.h"

namespace cheshire {

// A SYN that was offered to an instance which is not ready yet …
inline constexpr uint64_t kOfferAgainNs = 20 * kNsPerMs;           // … got no answer: once more
inline constexpr uint64_t kOfferAgainAfterResetNs = 2 * kNsPerMs;  // … was reset: nobody listens yet
inline constexpr uint64_t kProbeAgainNs = 20 * kNsPerMs;           // our own probe, the same two
inline constexpr uint64_t kProbeAgainAfterResetNs = 2 * kNsPerMs;
inline constexpr uint64_t kGiveToAnotherAfterNs =
    50 * kNsPerMs;  // … goes to one that is ready, if there is one

// A SYN for an open flow of a draining instance is a new connection if the flow was quiet for so long.
inline constexpr uint64_t kReusedAfterQuietNs = kNsPerSecond;

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
  ~Worker();

  // One round. Returns whether there was anything to do.
  bool turn(uint64_t now_ns);

  // Its own thread, between two turns: whether nothing can come but packets of clients, and what other threads tell:
  // there is no guest, no SYN that waits, nothing to sweep.
  [[nodiscard]] bool waits_for_clients_only() const {
    return polled_.empty() && hold_.size() == 0 && sweeps_.empty();
  }
  // Likewise: whether another worker has given it something.
  [[nodiscard]] bool has_incoming() const {
    return std::any_of(incoming_.begin(), incoming_.end(), [](auto* ring) { return !ring->empty(); });
  }

  // Any thread: how many PortMessage::kDown were obeyed so far. The worker has not touched those ports since.
  [[nodiscard]] uint64_t downs_acknowledged() const { return downs_acknowledged_.observe(); }

 private:
  struct alignas(64) SlotState {
    // What a packet for it needs, with the head of its queue: one cache line.
    GuestPort* port = nullptr;  // its rings are up
    Generation generation;      // from the steering table; 0: nobody is expected here
    Generation living;          // likewise, and 0 once it lost its port: whose flows are current
    ServiceIndex service;
    SlotRole role = SlotRole::kEmpty;
    bool ready = false;             // this generation's SYN-ACK was seen
    bool ready_unreported = false;  // … and is about to leave through the NIC
    bool touched = false;           // in touched_
    bool to_flush = false;          // its queue is in fresh_ or stuck_
    bool stuck = false;             // … in stuck_
    bool hot = false;               // in hot_
    bool soft_limit_told = false;
    uint16_t empty_looks = 0;  // since packets came or went last, while it is hot
    uint32_t in_flight = 0;
    uint32_t in_flight_peak = 0;  // since its last load record
    SlotLoad* load = nullptr;     // its row on the board
    PacketQueue queue;

    // per packet from it, per handshake and per publication
    uint64_t asked_ns = 0;       // it got something to answer then, and was not heard since; 0: nothing
    uint64_t heard_ns = 0;       // its last packet
    uint64_t ready_ns = 0;       // when its SYN-ACK was seen
    uint32_t queue_counted = 0;  // packets of its queue that are counted as held
    bool limit_is_auto = false;  // see admission_.answers
    bool stall_told = false;
    uint32_t owing = 0;           // flows with kFlowOwesAnswer
    uint64_t probe_again_ns = 0;  // when our own probe is due, while it is not ready
    HeldSyn* offered = nullptr;   // the SYN whose answer will make it ready
    FlowKey timed;                // whose handshake is being timed,
    uint64_t timed_since_ns = 0;  // … since its SYN was given to the instance; 0: none is
    uint64_t consumed = 0;        // of its ring, at the last publication
    PortMessage up;               // that told of `port`

    // There is an instance; on standby its port may be down for a while.
    [[nodiscard]] bool exists() const { return living.value != 0; }
    [[nodiscard]] bool alive() const { return port != nullptr && exists(); }
  };
  struct Sweep {  // takes the flows of an instance that is gone out of the table
    InstanceId instance;
    size_t cursor = 0;
  };

  // worker.cc: the round
  void housekeeping();
  void flush_to_guests();
  void flush_stuck();
  [[nodiscard]] bool flush_slot(SlotIndex index, SlotState& slot);
  [[nodiscard]] bool flush_one(SlotState& slot);
  [[nodiscard]] bool flush_many(SlotState& slot);
  void count_given(SlotState& slot, uint64_t packets, uint64_t bytes) {
    slot.load->packets_to_guest.add(packets);
    slot.load->bytes_to_guest.add(bytes);
    flushed_ += packets;
  }
  void becomes_hot(SlotIndex index, SlotState& slot) {
    slot.empty_looks = 0;
    if (slot.hot) [[likely]]
      return;
    slot.hot = true;
    hot_.push_back(index);  // within what was reserved at start
  }
  void transmit();
  void report_ready();
  void send_to_client(rte_mbuf* packet);
  // In line, for each packet.
  void queue_to_guest(SlotIndex index, SlotState& slot, rte_mbuf* packet) {
    if (!slot.queue.push(packet)) [[unlikely]]
      return drop_for_full_ring(index, packet);
    if (slot.to_flush) {
      // Not each of those who take nothing is looked at in each turn.
      if (slot.stuck) [[unlikely]]
        count_queued(slot);
      return;
    }
    slot.to_flush = true;
    fresh_[fresh_count_++] = index;
    // Where packets wait already, they have woken it, or its pause did (change_role()).
    if (slot.role == SlotRole::kStandby) [[unlikely]]
      wakes(index, slot);
  }
  void count_queued(SlotState& slot);
  void wakes(SlotIndex index, const SlotState& slot);
  void drop_for_full_ring(SlotIndex index, rte_mbuf* packet);
  void drop(rte_mbuf* packet, DropReason reason);

  // worker_load.cc: what others are told
  void touch(SlotIndex index, SlotState& slot) {
    if (slot.touched) return;
    slot.touched = true;
    touched_.push_back(index);  // within what was reserved at start
  }
  void publish_load();
  [[nodiscard]] LoadEdge look_at_backlog(SlotIndex index, SlotState& slot);
  void tell(LoadEdge edge, ServiceIndex service, SlotIndex slot);
  void time_handshake(SlotIndex index, const FlowKey& flow);
  void handshake_ended(SlotIndex index, const FlowKey& flow);

  // worker_from_client.cc
  bool receive_from_clients();
  void act_on_clients();
  [[nodiscard]] bool pass_on(uint16_t i, uint32_t now);
  void act_on_client(uint16_t i);
  void answer_or_drop(uint16_t i);
  void note_client(rte_mbuf* packet, const ParsedPacket& parsed, FlowEntry& flow) const;
  void segment_without_service(rte_mbuf* packet, const ParsedPacket& parsed);
  void segment_of_flow(rte_mbuf* packet, ParsedPacket& parsed, FlowEntry& flow);
  void segment_without_flow(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key);
  [[nodiscard]] bool is_forgotten_by_client(const FlowEntry& flow) const;
  void segment_of_held_flow(rte_mbuf* packet, const ParsedPacket& parsed, FlowEntry& flow);
  void segment_of_lost_flow(rte_mbuf* packet, ParsedPacket& parsed, FlowEntry& flow);
  void steer_syn(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key);
  void hold_syn(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key, Chooser::Outcome outcome);
  void forward_to_guest(rte_mbuf* packet, ParsedPacket& parsed, ServiceIndex service, SlotIndex slot);
  void answer_with_reset(rte_mbuf* packet, const ParsedPacket& parsed);

  // worker_admission.cc
  [[nodiscard]] bool must_prove(const FlowKey& key, const Chooser::Choice& choice);
  void challenge(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key);
  void reset_without_flow(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key);
  [[nodiscard]] uint32_t hold_bound(ServiceIndex service, Chooser::Outcome outcome) const;
  void reject(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key, Rejection why);
  void refuse_by_http(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key);
  void time_rejections();
  void look_after_instances();
  void begin_limit(SlotIndex index);
  void update_limit(SlotIndex index);
  void adapt_limit(SlotIndex index, const SlotState& slot);
  void asks(SlotIndex index, SlotState& slot);
  void heard(SlotIndex index, SlotState& slot);

  // worker_hand_over.cc
  [[nodiscard]] bool is_mine(ServiceIndex service) const {
    return table_->value.service(service).worker == options_.number;
  }
  void hand_over_foreign();
  bool receive_from_workers();
  void drop_astray();
  void look_for_long_flow();

  // worker_from_guest.cc
  bool receive_from_guests(bool clients_came);
  [[nodiscard]] bool look_at_guest(SlotIndex index, SlotState& slot);
  void take_from_guest(SlotIndex index, SlotState& slot);
  void act_on_guest(SlotIndex index);
  void guest_segment(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed, FlowEntry* flow);
  void guest_segment_without_flow(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed);
  void send_reply(rte_mbuf* packet, const ParsedPacket& parsed, ServiceIndex service,
                  const MacAddress& client_mac, uint16_t vlan_tci);
  void note_guest_segment(SlotIndex index, FlowEntry& flow, const ParsedPacket& parsed, const TcpHeader& tcp);
  void became_ready(SlotIndex index, uint64_t syn_seen_ns, uint64_t syn_delivered_ns);
  void answer_guest_with_reset(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed);

  // worker_untracked.cc
  [[nodiscard]] uint64_t flow_hash(const FlowKey& key) const;
  void begin_untracked(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key);
  [[nodiscard]] bool take_untracked(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key);
  void forward_untracked(rte_mbuf* packet, ParsedPacket& parsed, const FlowKey& key, SlotIndex slot);
  [[nodiscard]] bool reply_untracked(SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed);

  // worker_hold.cc
  // choose_instance() to a queue that has room, or nothing.
  [[nodiscard]] std::optional<SlotIndex> choose_for_held(const FlowKey& key);
  [[nodiscard]] SlotState* unproven(ServiceIndex service, SlotIndex* index);
  void probe_unproven();
  bool send_probe(SlotIndex index);
  void serve_held();
  void serve_held(ServiceIndex service);
  void release_to(SlotIndex index, HeldSyn* syn);
  bool offer_to(SlotIndex index, HeldSyn* syn);
  bool deliver_copy(SlotIndex index, HeldSyn* syn);
  void withdraw(HeldSyn* syn);
  void expire(HeldSyn* syn);
  void forget_held(HeldSyn* syn);  // the packet is the caller's
  void update_held_levels(ServiceIndex service);

  // worker_table.cc: what changes from outside, and what time brings
  void take_steering_table();
  void take_slot(SlotIndex index, const SteeringSlot& listed);
  void take_port_messages();
  void begin_instance(SlotIndex index, const SteeringSlot& wanted);
  void begin_sweep(InstanceId instance);
  void end_instance(SlotIndex index);
  void change_role(SlotIndex index, SlotRole role);
  void port_down(SlotIndex index);
  void attach_if_expected(SlotIndex index);
  void detach(SlotIndex index);
  void rebuild_polled();
  void advance_sweeps();
  void lose_flow(FlowEntry& flow);
  void age_flows();
  [[nodiscard]] Chooser::Choice choose_instance(const FlowKey& key);
  void update_membership(SlotIndex index);
  void set_in_flight(SlotIndex index, uint32_t in_flight);
  void open_flow(FlowEntry& flow, SlotIndex index);
  void close_flow(FlowEntry& flow);
  void reopen_if_reset(FlowEntry& flow);
  void set_owing(FlowEntry& flow, bool owes);
  void erase_flow(FlowEntry& flow);

  [[nodiscard]] SlotState& slot_of(const FlowEntry& flow) { return slots_[flow.slot.value]; }
  [[nodiscard]] bool owner_is_current(const FlowEntry& flow) const {
    const SlotState& slot = slots_[flow.slot.value];
    return slot.living == flow.generation;
  }
  [[nodiscard]] HeldSyn* held_syn_of(const FlowEntry& flow) { return hold_.at(flow.guest_next); }

  const WorkerOptions options_;
  const NicQueue nic_;
  FlowMarkBoard* const marks_;
  SpscRing<PinRequest>* const pins_;  // nullptr: there is no queue to pin to
  Published<SteeringTable>& steering_;
  SpscRing<PortMessage>& port_messages_;
  SpscRing<LoadRecord>& load_ring_;
  const WorkerBoard board_;
  Doorbell* const doorbell_;

  const Published<SteeringTable>::Versioned* table_ = nullptr;
  uint64_t table_version_ = 0;
  ServiceFinder finder_;
  std::vector<ServiceRewrite> rewrites_;  // by service
  Chooser chooser_;
  Admission admission_;
  FlowTable flows_;
  ReturnPaths return_paths_;  // of flows that found no room in it
  uint64_t untracked_until_ns_ = 0;
  HoldQueue hold_;
  HugeArray<SlotState> slots_;
  std::vector<SlotIndex> polled_;    // slots whose instance is alive
  std::vector<SlotIndex> to_prove_;  // … and is to show that it is ready
  // Which of them are looked at when (worker_from_guest.cc): those that packets went to or came from lately …
  std::vector<SlotIndex> hot_;
  size_t hot_next_ = 0;
  size_t polled_next_ = 0;  // … and all of them, in turns
  // Slots with packets in their queue: of this turn, and those whose guest has not taken them.
  std::vector<SlotIndex> fresh_;  // the first fresh_count_ of as many as there are slots
  uint32_t fresh_count_ = 0;
  uint64_t flushed_ = 0;  // packets that guests took in this flush
  std::vector<SlotIndex> stuck_;
  std::vector<SlotIndex> touched_;  // since the last load publication, or with packets still in their rings
  size_t stuck_next_ = 0;
  std::vector<Sweep> sweeps_;

  PacketBurst burst_;
  // With several workers: packets of the burst at hand for each of them, and the rings that they come by.
  struct Batch {
    uint16_t count = 0;
    std::array<rte_mbuf*, kBurst> packets;
  };
  HandOver* const hand_over_;
  std::vector<Batch> batches_;
  std::vector<SpscRing<rte_mbuf*>*> incoming_;
  PacketSampler sampler_;  // of what came over
  SentPackets sent_;
  uint32_t idle_turns_ = 0;  // in a row
  std::array<rte_mbuf*, 4 * kBurst> to_clients_{};
  uint16_t to_clients_count_ = 0;
  uint32_t rejections_in_turn_ = 0;
  uint32_t ready_unreported_ = 0;  // slots whose first SYN-ACK is in to_clients_

  uint64_t now_ns_ = 0;
  uint64_t load_published_ns_ = 0;
  uint64_t aged_ns_ = 0;
  size_t age_cursor_ = 0;
  Counter downs_acknowledged_;  // writer: worker; reader: the vhost-user thread
};

}  // namespace cheshire
