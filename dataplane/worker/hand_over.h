// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The rings by which workers give packets to each other, one for each ordered pair of them.
//
// A service belongs to one worker (Config::worker_of()). A segment of it that came to the receive queue of another
// worker is given to the owner as it is: the NIC could not know better. All that a burst has for one owner goes at
// once, and the owner takes a burst at once, so the lines that the two share move once per burst and not per packet. A
// pair's ring is nobody else's, so a worker that is added costs the others nothing.
//
// Full is a normal case: the packet is dropped by who would give it (DropReason::k_hand_over_full), and nobody waits.
//
// An owner that sleeps until a packet comes (NicQueue::sleep_until_packet()) is woken by its bell, which the giver rings
// after it has pushed. Where workers never sleep there is no bell.
//
// Made before the workers, outlives them; each ring has one producer and one consumer, its two workers.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "check.h"
#include "dataplane/worker/event_bell.h"
#include "spsc_ring.h"

struct rte_mbuf;

namespace cheshire {

// Packets on their way from one worker to another: what the receiver works off in some hundred microseconds.
inline constexpr size_t kHandOverPackets = 1024;

class HandOver {
 public:
  explicit HandOver(size_t workers, bool sleep = false, size_t packets = kHandOverPackets)
      : workers_(workers), rings_(workers * workers), bells_(sleep ? workers : 0) {
    CHECK(workers > 1);
    for (auto& bell : bells_) bell = std::make_unique<EventBell>();
    for (size_t from = 0; from < workers; ++from) {
      for (size_t to = 0; to < workers; ++to) {
        if (from != to) rings_[from * workers + to] = std::make_unique<SpscRing<rte_mbuf*>>(packets);
      }
    }
  }

  [[nodiscard]] size_t workers() const { return workers_; }
  [[nodiscard]] SpscRing<rte_mbuf*>& ring(size_t from, size_t to) { return *rings_[from * workers_ + to]; }
  // Of that worker; nullptr: it never sleeps.
  [[nodiscard]] EventBell* bell(size_t to) { return bells_.empty() ? nullptr : bells_[to].get(); }
  // Those of which this worker is the consumer.
  [[nodiscard]] std::vector<SpscRing<rte_mbuf*>*> rings_to(size_t to) {
    std::vector<SpscRing<rte_mbuf*>*> rings;
    for (size_t from = 0; from < workers_; ++from) {
      if (from != to) rings.push_back(&ring(from, to));
    }
    return rings;
  }

 private:
  const size_t workers_;
  std::vector<std::unique_ptr<SpscRing<rte_mbuf*>>> rings_;  // by from, then by to
  std::vector<std::unique_ptr<EventBell>> bells_;
};

}  // namespace cheshire
