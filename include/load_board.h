// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the workers count, in memory that each writes alone and anybody may read.
//
// A row has one writer: that of a worker itself the worker, that of a service and those of its slots the service's
// owner (Config::worker_of()). A slot that changes from one owner's service to another's, and a service's index that is
// used again, change their writer: the control plane sees to it that the old one has written for the last time
// (InstancePool::is_settled()).
//
// Counters are cumulative and states are levels (the generation for which something is true), so a reader
// that looks rarely, or a load record that was lost, misses nothing: the next look has it all.
// Rows are whole cache lines, because each worker writes its own and others read them.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "check.h"
#include "counter.h"
#include "drop_reason.h"
#include "ids.h"

namespace cheshire {

// One per slot. writer: the owner of its service; readers: control, telemetry.
// The times are those of the slot's newest instance, 0 where it has not come so far.
struct alignas(64) SlotLoad {
  // What packets and new flows change, in one cache line. Cumulative over all generations, but in_flight.
  Counter packets_to_guest;
  Counter bytes_to_guest;
  Counter packets_from_guest;
  Counter bytes_from_guest;
  Counter in_flight;  // level: flows open now
  Counter flows_opened;
  Counter flows_closed;
  Counter last_opened_ns;  // when the newest flow was opened

  // levels: the generation of the instance that …
  Counter attached_generation;  // … has its vrings up now; 0 when the port is down
  Counter ready_generation;     // … last answered a SYN with a SYN-ACK; the times below are valid with it
  Counter dead_generation;      // … last lost its port without our order
  Counter swept_generation;     // … last had all its flows taken from the flow table
  Counter flows_owing;          // flows in flight whose client has sent data since the guest last did
  Counter wake_since_ns;        // on standby: arrival of the first packet since for one of its flows; 0: none
  Counter unanswered_since_ns;  // a SYN was given to an instance that is not ready yet; 0: none waits
  Counter flows_limit;          // in_flight.hard in force; 0: none
  Counter silent_since_ns;      // it was asked something then and has not sent a packet since; 0: nothing
  Counter queue_delay_ns;       // age of the oldest packet that it has not consumed, at the last publication

  // cumulative, over all generations
  Counter resets_to_client;  // flows that we had to reset because the instance went away
  Counter drops;             // packets for or from this slot that were dropped, or refused with a reset
  Counter probes;            // SYNs of our own, to see whether it is ready
  Counter handshakes;        // SYN-ACKs that ended a sampled handshake: one SYN at a time is timed
  Counter handshake_ns;      // … and the time from its SYN on, summed up

  // stages of the newest instance's start (monotonic ns)
  Counter connected_ns;      // the VM connected to the vhost-user socket
  Counter ring_up_ns;        // the guest's driver made its rings ready
  Counter messages_ns;       // time spent inside the vhost-user message handler until then
  Counter syn_seen_ns;       // arrival of the SYN that it answered first
  Counter syn_delivered_ns;  // first delivery of that SYN to the guest
  Counter syn_ack_ns;        // the SYN-ACK was taken off the guest's ring
  Counter on_wire_ns;        // … and given to the NIC
};
static_assert(sizeof(SlotLoad) % 64 == 0);

// Why a new flow was rejected, and how. Each rejection counts once by reason and once by action.
enum class Rejection : uint8_t {
  kFull,      // all instances are full, and no more may start
  kHoldFull,  // more wait already than those that boot can take, or than may be held
  kRefusing,  // boots fail again and again
  kExpired,   // it waited for hold.time_max
};
inline constexpr std::array<std::string_view, 4> kRejectionNames = {"full", "hold_full", "refused",
                                                                    "hold_expired"};
enum class Refusal : uint8_t {
  kReset,
  kHttp503,  // a SYN-ACK with a cookie; the 503 follows when the client asks
  kDrop,
  kSilent,  // dropped, as this client address was refused too often (overload.per_source)
};
inline constexpr std::array<std::string_view, 4> kRefusalNames = {"reset", "http503", "drop", "silent"};

// One per service. writer: its owner; readers: control, telemetry.
struct alignas(64) ServiceLoad {
  Counter waiting_syns;      // level: parked and not given to an instance
  Counter held_syns;         // level: parked, with those whose answer is awaited
  Counter waiting_since_ns;  // arrival of the oldest of the waiting; 0: none
  Counter syns;              // cumulative: new flows asked for

  // cumulative
  Counter admitted;                                         // SYNs that were given to an instance
  std::array<Counter, kRejectionNames.size()> rejected_by;  // reason
  std::array<Counter, kRefusalNames.size()> rejected_with;  // action
  Counter refusals_answered;                                // 503s sent, repeated ones too
  Counter not_http;           // connections with a cookie that were reset, as they speak TLS or HTTP/2
  Counter cookies_bad;        // segments without a flow whose cookie is none, of another client or too old
  Counter challenges_sent;    // SYNs that were answered with a challenge
  Counter challenges_passed;  // … and the resets that proved an address

  [[nodiscard]] Counter& rejected(Rejection why) { return rejected_by[static_cast<size_t>(why)]; }
  [[nodiscard]] const Counter& rejected(Rejection why) const { return rejected_by[static_cast<size_t>(why)]; }
};
static_assert(sizeof(ServiceLoad) % 64 == 0);

// The last counter is for all that took longer.
inline constexpr std::array<uint32_t, 7> kRejectionBoundsUs = {5, 10, 20, 50, 100, 200, 1000};

// One per worker. writer: the worker; readers: telemetry, tests.
// At any quiescent moment, of each worker:
//   nic_rx + from_guest + generated + taken_over = nic_tx + to_guest + drops + held + handed_over
// Over all workers handed_over - taken_over are the packets that lie in their rings just now.
struct alignas(64) WorkerLoad {
  Counter turns;
  Counter idle_turns;
  Counter nic_rx_packets;
  Counter nic_tx_packets;
  Counter packets_to_guest;
  Counter packets_from_guest;
  Counter generated;     // packets that we made: resets, repeated deliveries of a held SYN
  Counter handed_over;   // packets that came here and were given to the owner of their service
  Counter taken_over;    // packets that other workers gave to us
  Counter held_packets;  // level: SYNs parked and not yet given to an instance, packets queued for a ring
  Counter flows;         // level: entries of the flow table
  // Instances that left, and those whose flows have all been taken from the flow table since.
  Counter sweeps_begun;
  Counter sweeps_done;
  Counter resets_no_flow;  // packets of unknown flows answered with a reset
  Counter resets_no_service;
  Counter untracked;  // bound hit: packets of flows that found no room in the flow table, sent by hash
  Counter no_memory;  // bound hit: no packet buffer for a packet of our own
  Counter load_records_lost;  // bound hit: load ring full
  Counter proofs_displaced;   // bound hit: proven client addresses forgotten early, for others
  // Rejections by the time from the turn in which their packet came to when they left, see
  // kRejectionBoundsUs.
  std::array<Counter, kRejectionBoundsUs.size() + 1> rejections_within;
  std::array<Counter, kDropReasons> drops;
};

// All rows. Made once at start; never resized.
class LoadBoard {
 public:
  LoadBoard(size_t slots, size_t services, size_t workers = 1)
      : slots_(std::make_unique<SlotLoad[]>(slots)),
        slot_count_(slots),
        services_(std::make_unique<ServiceLoad[]>(services)),
        service_count_(services),
        workers_(workers) {
    CHECK(workers > 0);
  }

  [[nodiscard]] SlotLoad& slot(SlotIndex index) {
    CHECK(index.value < slot_count_);
    return slots_[index.value];
  }
  [[nodiscard]] const SlotLoad& slot(SlotIndex index) const {
    CHECK(index.value < slot_count_);
    return slots_[index.value];
  }
  [[nodiscard]] ServiceLoad& service(ServiceIndex index) {
    CHECK(index.value < service_count_);
    return services_[index.value];
  }
  [[nodiscard]] const ServiceLoad& service(ServiceIndex index) const {
    CHECK(index.value < service_count_);
    return services_[index.value];
  }
  [[nodiscard]] WorkerLoad& worker(size_t number) { return workers_.at(number); }
  [[nodiscard]] const WorkerLoad& worker(size_t number) const { return workers_.at(number); }
  [[nodiscard]] std::span<const WorkerLoad> workers() const { return workers_; }
  // One count over all workers.
  [[nodiscard]] uint64_t sum(Counter WorkerLoad::*count) const {
    uint64_t sum = 0;
    for (const WorkerLoad& load : workers_) sum += (load.*count).get();
    return sum;
  }
  [[nodiscard]] uint64_t dropped(DropReason reason) const {
    uint64_t sum = 0;
    for (const WorkerLoad& load : workers_) sum += load.drops[static_cast<size_t>(reason)].get();
    return sum;
  }
  [[nodiscard]] size_t slot_count() const { return slot_count_; }
  [[nodiscard]] size_t service_count() const { return service_count_; }

 private:
  std::unique_ptr<SlotLoad[]> slots_;
  size_t slot_count_;
  std::unique_ptr<ServiceLoad[]> services_;
  size_t service_count_;
  std::vector<WorkerLoad> workers_;
};

// The board as one worker writes it: its own row, and those that it owns.
struct WorkerBoard {
  WorkerBoard(LoadBoard& board, size_t number) : worker(board.worker(number)), board_(board) {}
  [[nodiscard]] SlotLoad& slot(SlotIndex index) const { return board_.slot(index); }
  [[nodiscard]] ServiceLoad& service(ServiceIndex index) const { return board_.service(index); }

  WorkerLoad& worker;

 private:
  LoadBoard& board_;
};

}  // namespace cheshire
