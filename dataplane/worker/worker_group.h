// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// All workers of the daemon, and the rings between them and to their neighbours: one load ring to the control thread,
// one ring of port messages from the vhost-user thread and one of requests to the offload manager for each, one ring for
// each ordered pair (hand_over.h).
//
//   WorkerGroup group(options, links);      // main thread, before any of them runs
//   eal.launch(group.size(), [&](size_t number) { group.run(number); });
//   group.stop();  eal.join();              // then, and only then, may it be destroyed
//
// Each method says who may call it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "counter.h"
#include "dataplane/port/nic_port.h"
#include "dataplane/worker/hand_over.h"
#include "dataplane/worker/worker.h"
#include "units.h"

namespace cheshire {

inline constexpr size_t kLoadRingRecords = 65536;
inline constexpr uint64_t kSleepMaxNs = 10 * kNsPerMs;

struct WorkerGroupOptions {
  size_t workers = 1;
  bool shares_cpus = false;  // some of them do: one that finds nothing lets another run
  WorkerOptions each;        // but for its number
  size_t load_records = kLoadRingRecords;
};

// Their own rings are made here. All outlive the group.
struct WorkerGroupLinks {
  NicPort* nic = nullptr;  // with a queue for each
  Published<SteeringTable>* steering = nullptr;
  LoadBoard* board = nullptr;      // with a row for each
  FlowMarkBoard* marks = nullptr;  // likewise; nullptr: the NIC sets none
  Doorbell* doorbell = nullptr;
};

class WorkerGroup {
 public:
  WorkerGroup(const WorkerGroupOptions& options, const WorkerGroupLinks& links);
  WorkerGroup(const WorkerGroup&) = delete;
  WorkerGroup& operator=(const WorkerGroup&) = delete;

  [[nodiscard]] size_t size() const { return members_.size(); }
  // For who takes the turns himself.
  [[nodiscard]] Worker& worker(size_t number) { return *members_[number]->worker; }

  // The worker's thread: polls until stop(). With worker.idle_sleep, a worker that found nothing for a while naps
  // between its turns: short naps first, and never longer than that. One without a guest sleeps until the NIC wakes
  // it, where the NIC can, or another worker that has something for it: at the most kSleepMaxNs, after which it sees
  // what other threads tell it.
  void run(size_t number);
  // Any thread.
  void stop() { stop_.publish(1); }

  // To be read by the control thread.
  [[nodiscard]] std::vector<SpscRing<LoadRecord>*> load_rings();
  [[nodiscard]] bool has_load_records();
  // To be written by the vhost-user thread.
  [[nodiscard]] std::vector<SpscRing<PortMessage>*> port_messages();
  // To be read by the offload manager.
  [[nodiscard]] std::vector<SpscRing<PinRequest>*> pin_requests();
  // Any thread: how many PortMessage::kDown all of them have obeyed. One that has ended has left every port.
  [[nodiscard]] uint64_t downs_acknowledged() const;

 private:
  struct Member;
  void sleep_until_packet(Member& member, EventBell* bell);
  struct Member {
    Member(size_t load_records, size_t port_messages, const NicQueue& nic_queue)
        : load_ring(load_records), messages(port_messages), queue(nic_queue) {}
    SpscRing<LoadRecord> load_ring;
    SpscRing<PortMessage> messages;
    SpscRing<PinRequest> pins{kPinRequestsMax};
    NicQueue queue;
    std::unique_ptr<Worker> worker;
    Counter ended;  // writer: its thread; readers: any
  };

  const WorkerConfig config_;
  const bool shares_cpus_;
  std::unique_ptr<HandOver> hand_over_;  // of several workers only
  std::vector<std::unique_ptr<Member>> members_;
  Counter stop_;  // writer: who ends them
};

}  // namespace cheshire
