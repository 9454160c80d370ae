// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The flow table of one worker: from a FlowKey to the instance that owns the flow, for life.
//
// Shape: buckets of 31 flows. The tags of a bucket (15 bits of the hash each) fill one cache line together
// with a count, so that this line tells whether a flow can be there; the entries, 32 bytes each, lie in an
// array of their own. A flow stands in the bucket that its hash names; only when that one is full it stands
// in a second one, also named by the hash, and the first one counts how many it sent away. So a look-up reads
// one line of tags (two if the first bucket has sent flows away) and, but for tag collisions, one entry.
// Keyed hash (flow_hash.h): a client that does not know the key cannot choose flows that fall into one
// bucket. Capacity is fixed at start and the memory is touched then; at half load, for which it is made,
// about one bucket in ten thousand is full, and two full buckets do not meet. insert() fails at the limit, or
// when they do.
//
//   hash: [ tag 15 | …… ] → bucket a = hash mod buckets, bucket b = a xor f(tag)
//
// In bulk, with every line fetched ahead:
//
//   for each: at = place(key), prefetch(at)              the line of tags
//   for each: candidate = candidate_at(at)               the line of the entry, prefetched by this
//   for each: find(at, key, candidate)
//
// A candidate, never nullptr, is a guess that stays valid to ask about whatever happens in between: an erased
// entry has no key, so candidate->key == key says that this is the entry, and anything else leads to the full
// look-up. So packets of one burst may insert and erase flows of its later packets.
//
// Invariants: a key stands in the table at most once; tag 0 means empty; size() counts the entries; no entry
// moves.
// One thread only. No DPDK.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow_hash.h"
#include "dataplane/flow/huge_array.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/siphash.h"
#include "ids.h"
#include "net.h"

namespace cheshire {

enum class FlowState : uint8_t {
  kHeld,     // the SYN is parked, no instance has it
  kSynSent,  // the SYN was given to the instance, no answer yet
  kOpen,     // the instance's SYN-ACK was seen
  kClosing,  // reset, or both sides finished: kept for stragglers, no longer in flight
};

enum class FlowFlag : uint8_t {
  kFinFromClient = 0x01,
  kFinFromGuest = 0x02,
  kHoldsSyn = 0x04,    // guest_next names the parked copy of its SYN
  kReset = 0x08,       // the client reset it, or somebody in its name
  kConfirmed = 0x10,   // the client went on after the SYN-ACK
  kOwesAnswer = 0x20,  // the client has sent data since the guest last did
  kMetOnce = 0x40,     // one of its packets was sampled on its way over (long_flows.h)
};

class FlowFlags {
 public:
  constexpr FlowFlags() = default;
  constexpr FlowFlags(FlowFlag flag) : bits_(static_cast<uint8_t>(flag)) {}  // one flag is a set of flags
  friend constexpr FlowFlags operator|(FlowFlags a, FlowFlags b) {
    a.bits_ |= b.bits_;
    return a;
  }
  // Of several: all of them.
  [[nodiscard]] constexpr bool has(FlowFlags flags) const { return (bits_ & flags.bits_) == flags.bits_; }
  constexpr void set(FlowFlags flags) { bits_ |= flags.bits_; }
  constexpr void clear(FlowFlags flags) { bits_ &= static_cast<uint8_t>(~flags.bits_); }
  constexpr void toggle(FlowFlags flags) { bits_ ^= flags.bits_; }
  [[nodiscard]] constexpr uint8_t bits() const { return bits_; }
  friend constexpr bool operator==(const FlowFlags&, const FlowFlags&) = default;

 private:
  uint8_t bits_ = 0;
};
constexpr FlowFlags operator|(FlowFlag a, FlowFlag b) {
  return FlowFlags(a) | FlowFlags(b);
}

struct alignas(32) FlowEntry {
  FlowKey key;
  Generation generation;    // of the instance in `slot`
  uint32_t last_seen = 0;   // coarse time, see flow_time()
  uint32_t guest_next = 0;  // sequence number after the last byte seen from the guest
  SlotIndex slot;
  FlowState state = FlowState::kHeld;
  FlowFlags flags;
  MacAddress client_mac;  // where replies go: the sender of the flow's last packet
  uint16_t vlan_tci = 0;

  // State and flags as one number, to be compared at once.
  static constexpr uint16_t condition_of(FlowState state, FlowFlags flags) {
    return static_cast<uint16_t>(unsigned{flags.bits()} << 8U | static_cast<unsigned>(state));
  }
  [[nodiscard]] uint16_t condition() const {
    uint16_t condition;
    std::memcpy(&condition, reinterpret_cast<const uint8_t*>(this) + offsetof(FlowEntry, state), 2);
    return condition;
  }
  // Whether replies go already where an untagged frame with this header came from. One comparison: the type
  // behind the header's source is where the tag is here.
  [[nodiscard]] bool came_untagged_as(const EthernetHeader& header) const {
    uint64_t ours;
    uint64_t theirs;
    std::memcpy(&ours, reinterpret_cast<const uint8_t*>(this) + offsetof(FlowEntry, client_mac), 8);
    std::memcpy(&theirs, reinterpret_cast<const uint8_t*>(&header) + offsetof(EthernetHeader, source), 8);
    return ours == (theirs | uint64_t{kNoVlan} << 48U);
  }
};
static_assert(offsetof(FlowEntry, flags) == offsetof(FlowEntry, state) + 1);
static_assert(offsetof(FlowEntry, vlan_tci) == offsetof(FlowEntry, client_mac) + 6);
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
  static constexpr size_t kWays = 31;
  struct Place {
    size_t bucket;
    uint16_t tag;
  };

  // Room for `flows_max` flows (rounded up to a power of two); more are refused by insert().
  FlowTable(size_t flows_max, HashKey key);

  [[nodiscard]] Place place(const FlowKey& key) const {
    const uint64_t hash = hash_(key.as_integer());
    // The tag is never 0, which is empty.
    return {hash & bucket_mask_, static_cast<uint16_t>((hash >> 48U) | 1U)};
  }
  void prefetch(const Place& at) const { __builtin_prefetch(&tags_[at.bucket]); }
  // Where a flow of that place probably stands, prefetched; or an entry of no flow, and where it would be put is
  // prefetched. A flow takes the lowest way that is free, so few stand in the upper half, even where the table is full.
  [[nodiscard]] FlowEntry* candidate_at(const Place& at) {
    const uint32_t ways = half_with(tags_[at.bucket], at.tag, 0);
    if (ways == 0) [[unlikely]]
      return candidate_elsewhere(at);
    FlowEntry* entry = &entries_[index_at(at.bucket, lowest_of(ways))];
    __builtin_prefetch(entry, 1);
    return entry;
  }

  // nullptr: not there. The pointer is good until the entry is erased.
  [[nodiscard]] FlowEntry* find(const Place& at, const FlowKey& key, FlowEntry* candidate) {
    if (candidate->key == key) return candidate;
    return find(at, key);
  }
  [[nodiscard]] FlowEntry* find(const Place& at, const FlowKey& key);
  [[nodiscard]] FlowEntry* find(const FlowKey& key) { return find(place(key), key); }
  // A fresh entry for a key that is not in the table; nullptr: full (a normal case, to be counted).
  [[nodiscard]] FlowEntry* insert(const Place& at, const FlowKey& key);
  [[nodiscard]] FlowEntry* insert(const FlowKey& key) { return insert(place(key), key); }
  void erase(FlowEntry* entry);

  // Calls visit(entry) for every entry of `buckets` buckets from `cursor` on; visit may erase that entry.
  // Returns the next cursor, 0 when the table has been gone through.
  template <typename Visit>
  size_t sweep(size_t cursor, size_t buckets, Visit&& visit);

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t flows_max() const { return flows_max_; }
  [[nodiscard]] size_t bucket_count() const { return bucket_mask_ + 1; }
  // Position of an entry in the table, stable while it stands there, below bucket_count() * kStride.
  static constexpr size_t kStride = 32;
  [[nodiscard]] size_t index_of(const FlowEntry* entry) const {
    return static_cast<size_t>(entry - entries_.data());
  }

 private:
  struct alignas(64) Tags {
    std::array<uint16_t, kWays> way;
    uint16_t sent_away;  // flows of this bucket that stand in their second one
  };
  static_assert(sizeof(Tags) == 64 && kStride > kWays);

  static constexpr size_t kHalf = 16;
  // Bit w: way w of the bucket's lower (0) or upper (1) half has this tag; of the upper one 15 are ways.
  [[nodiscard]] static uint32_t half_with(const Tags& tags, uint16_t tag, size_t half) {
#ifdef __SSE2__
    const auto* lanes = reinterpret_cast<const __m128i*>(&tags) + 2 * half;
    const __m128i wanted = _mm_set1_epi16(static_cast<int16_t>(tag));
    const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(lanes), wanted);
    const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(lanes + 1), wanted);
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
#else
    uint32_t ways = 0;
    for (size_t way = kHalf * half; way < std::min(kWays, kHalf * (half + 1)); ++way)
      ways |= (tags.way[way] == tag ? 1U : 0U) << (way - kHalf * half);
    return ways;
#endif
  }
  // Bit w: way w of the bucket has this tag.
  [[nodiscard]] static uint32_t ways_with(const Tags& tags, uint16_t tag) {
    constexpr uint32_t kAllWays = (1U << kWays) - 1;
    return (half_with(tags, tag, 0) | half_with(tags, tag, 1) << kHalf) & kAllWays;
  }
  // The lowest ways are in use most. At the same place of each bucket their entries would share a few sets of the caches,
  // so each bucket has its ways in another order.
  [[nodiscard]] static size_t index_at(size_t bucket, size_t way) {
    return (bucket * kStride | way) ^ bucket % kStride;
  }
  [[nodiscard]] static size_t way_at(size_t index) {
    return (index ^ index / kStride) % kStride;
  }
  [[nodiscard]] static size_t lowest_of(uint32_t ways) {
    return static_cast<uint32_t>(std::countr_zero(ways));
  }
  [[nodiscard]] size_t second_bucket(const Place& at) const {
    // An odd multiplier spreads the tag; the xor makes the pair symmetric and never the same bucket twice.
    return at.bucket ^ (((at.tag * 0x9e3779b97f4a7c15ULL >> 32U) | 1U) & bucket_mask_);
  }
  [[nodiscard]] FlowEntry* candidate_elsewhere(const Place& at);
  [[nodiscard]] FlowEntry* find_in(size_t bucket, uint16_t tag, const FlowKey& key);
  [[nodiscard]] FlowEntry* insert_in(size_t bucket, uint16_t tag, const FlowKey& key);

  const FlowHash hash_;
  size_t flows_max_;
  size_t bucket_mask_;
  size_t size_ = 0;
  FlowEntry none_;
  HugeArray<Tags> tags_;
  HugeArray<FlowEntry> entries_;
};

template <typename Visit>
size_t FlowTable::sweep(size_t cursor, size_t buckets, Visit&& visit) {
  const size_t end = std::min(cursor + buckets, bucket_count());
  for (size_t bucket = cursor; bucket < end; ++bucket) {
    for (size_t way = 0; way < kWays; ++way) {
      if (tags_[bucket].way[way] != 0) visit(entries_[index_at(bucket, way)]);
    }
  }
  return end == bucket_count() ? 0 : end;
}

}  // namespace cheshire
