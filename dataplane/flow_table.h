// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The flow table of one worker: from a FlowKey to the instance that owns the flow, for life.
//
// Shape: two arrays of buckets. A bucket has eight flows: their tags (15 bits of the hash each) lie together
// in 16 bytes, so that one cache line tells whether a flow can be there; the entries lie in the other array.
// A flow may stand in one of two buckets, both named by its hash; it is put into the emptier one. Lookup
// reads at most two lines of tags and, but for tag collisions, one entry. Keyed hash (siphash.h). Capacity is
// fixed at start; insert() fails when both buckets are full, which starts at a load of about nine tenths, so
// twice as many places are made as flows are promised.
//
//   hash: [ tag 15 | …… ] → bucket a = hash mod buckets, bucket b = a xor f(tag)
//
// Invariants: a key stands in the table at most once; tag 0 means empty; size() counts the entries.
// One thread only. No DPDK.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/siphash.h"
#include "flow_key.h"
#include "ids.h"
#include "net.h"

namespace cheshire {

enum class FlowState : uint8_t {
  kHeld,     // the SYN is parked, no instance has it
  kSynSent,  // the SYN was given to the instance, no answer yet
  kOpen,     // the instance's SYN-ACK was seen
  kClosing,  // reset, or both sides finished: kept for stragglers, no longer in flight
};

inline constexpr uint8_t kFlowFinFromClient = 0x01;
inline constexpr uint8_t kFlowFinFromGuest = 0x02;
inline constexpr uint8_t kFlowConfirmed = 0x10;   // the client went on after the SYN-ACK
inline constexpr uint8_t kFlowReset = 0x08;       // the client reset it, or somebody in its name
inline constexpr uint8_t kFlowOwesAnswer = 0x20;  // the client has sent data since the guest last did
inline constexpr uint8_t kFlowHoldsSyn = 0x04;    // guest_next names the parked copy of its SYN

struct FlowEntry {
  FlowKey key;
  Generation generation;    // of the instance in `slot`
  uint32_t last_seen = 0;   // coarse time, see flow_time()
  uint32_t guest_next = 0;  // sequence number after the last byte seen from the guest
  SlotIndex slot;
  FlowState state = FlowState::kHeld;
  uint8_t flags = 0;
  MacAddress client_mac;  // where replies go: the sender of the flow's last packet
  uint16_t vlan_tci = 0;
};
static_assert(sizeof(FlowEntry) == 32);

// Coarse time of flow entries: units of 2^20 ns, about a millisecond; wraps after 52 days, and differences of
// less than half of that are right.
inline constexpr unsigned kFlowTimeShift = 20;
constexpr uint32_t flow_time(uint64_t now_ns) {
  return static_cast<uint32_t>(now_ns >> kFlowTimeShift);
}
constexpr uint32_t flow_duration(uint64_t ns) {
  return static_cast<uint32_t>(ns >> kFlowTimeShift) + 1;
}

class FlowTable {
 public:
  static constexpr size_t kWays = 8;

  // Room for `flows_max` flows (rounded up to a power of two); more are refused by insert().
  FlowTable(size_t flows_max, HashKey key);

  // nullptr: not there. The pointer is good until the entry is erased.
  [[nodiscard]] FlowEntry* find(const FlowKey& key);
  // A fresh entry for a key that is not in the table; nullptr: full (a normal case, to be counted).
  [[nodiscard]] FlowEntry* insert(const FlowKey& key);
  void erase(FlowEntry* entry);

  // Calls visit(entry) for every entry of `buckets` buckets from `cursor` on; visit may erase that entry.
  // Returns the next cursor, 0 when the table has been gone through.
  template <typename Visit>
  size_t sweep(size_t cursor, size_t buckets, Visit&& visit);

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t flows_max() const { return flows_max_; }
  [[nodiscard]] size_t bucket_count() const { return bucket_mask_ + 1; }
  // Position of an entry in the table, stable while it stands there.
  [[nodiscard]] size_t index_of(const FlowEntry* entry) const {
    return static_cast<size_t>(entry - entries_.get());
  }

 private:
  struct Place {
    size_t first;
    size_t second;
    uint16_t tag;
  };
  struct Tags {
    std::array<uint16_t, kWays> way;
  };

  [[nodiscard]] Place place(const FlowKey& key) const;
  [[nodiscard]] FlowEntry* find_in(size_t bucket, uint16_t tag, const FlowKey& key);
  [[nodiscard]] size_t used_in(size_t bucket) const;

  const HashKey key_;
  size_t flows_max_;
  size_t bucket_mask_;
  size_t size_ = 0;
  std::unique_ptr<Tags[]> tags_;
  std::unique_ptr<FlowEntry[]> entries_;
};

template <typename Visit>
size_t FlowTable::sweep(size_t cursor, size_t buckets, Visit&& visit) {
  const size_t end = std::min(cursor + buckets, bucket_count());
  for (size_t bucket = cursor; bucket < end; ++bucket) {
    for (size_t way = 0; way < kWays; ++way) {
      if (tags_[bucket].way[way] != 0) visit(entries_[bucket * kWays + way]);
    }
  }
  return end == bucket_count() ? 0 : end;
}

}  // namespace cheshire
