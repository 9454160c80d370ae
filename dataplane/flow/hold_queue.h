// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// SYNs that are parked until an instance is ready. Bounded per service and in all; the memory is taken at
// start.
//
// A parked SYN is either `waiting` (no instance has it) or `offered`: a copy was given to an instance that
// has not yet shown that it is ready, and the original stays here, so that it can be offered again (the
// application was not listening yet) or given to another instance (that one died). One SYN at a time is
// offered to such an instance; its SYN-ACK is what makes the instance ready, and then the waiting ones
// follow, oldest first.
//
//   park() → waiting ⇄ offered → take()          take() returns the record to the free list
//
// Each service has two lists, both in order of arrival. One thread only; no DPDK: the packet is an opaque
// pointer that the caller owns through the record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/packet/flow_key.h"
#include "ids.h"

struct rte_mbuf;

namespace cheshire {

struct HeldSyn {
  rte_mbuf* packet = nullptr;  // as it came from the client
  FlowKey key;
  uint64_t arrival_ns = 0;
  uint64_t first_offered_ns = 0;  // first delivery to the instance that it is offered to now
  uint64_t offer_again_ns = 0;    // when the next delivery is due
  SlotIndex slot;                 // offered: to whom
  uint16_t l4_offset = 0;         // of the packet's TCP header
  bool offered = false;
  bool was_delivered = false;  // at least once, to anybody

 private:
  friend class HoldQueue;
  uint64_t order_ = 0;  // of park(): decides between arrivals of the same turn
  uint32_t next_ = 0;
  uint32_t previous_ = 0;
};

class HoldQueue {
 public:
  HoldQueue(size_t services, size_t syns_max);

  // A waiting record, or nullptr when all places are taken. The caller checks the service's own bound.
  [[nodiscard]] HeldSyn* park(const FlowKey& key, uint64_t arrival_ns);
  void offer(HeldSyn* syn, SlotIndex slot);
  void back_to_waiting(HeldSyn* syn);  // to its old place: order of arrival
  void take(HeldSyn* syn);

  [[nodiscard]] HeldSyn* first_waiting(ServiceIndex service);
  [[nodiscard]] HeldSyn* first_offered(ServiceIndex service);
  [[nodiscard]] HeldSyn* next(const HeldSyn* syn);  // of the same list; nullptr at the end

  [[nodiscard]] uint32_t waiting(ServiceIndex service) const { return lists_[service.value].waiting.length; }
  [[nodiscard]] uint32_t offered(ServiceIndex service) const { return lists_[service.value].offered.length; }
  [[nodiscard]] uint32_t held(ServiceIndex service) const { return waiting(service) + offered(service); }
  [[nodiscard]] size_t services() const { return lists_.size(); }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t syns_max() const { return records_.size() - 1; }

  // For side tables that name a record by number.
  [[nodiscard]] uint32_t index_of(const HeldSyn* syn) const {
    return static_cast<uint32_t>(syn - records_.data());
  }
  [[nodiscard]] HeldSyn* at(uint32_t index) { return &records_[index]; }

 private:
  static constexpr uint32_t kNone = 0;  // record 0 is never used
  struct List {
    uint32_t first = kNone;
    uint32_t last = kNone;
    uint32_t length = 0;
  };
  struct ServiceLists {
    List waiting;
    List offered;
  };

  [[nodiscard]] HeldSyn* get(uint32_t index) { return index == kNone ? nullptr : &records_[index]; }
  void insert_by_arrival(List& list, HeldSyn* syn);
  void remove(List& list, HeldSyn* syn);

  std::vector<HeldSyn> records_;
  std::vector<ServiceLists> lists_;
  uint32_t free_ = kNone;
  size_t size_ = 0;
  uint64_t parked_ = 0;
};

}  // namespace cheshire
