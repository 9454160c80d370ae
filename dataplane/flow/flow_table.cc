// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/flow_table.h"

#include <bit>

#include "check.h"

namespace cheshire {
namespace {

// Of an entry that is erased, or none: no service has that number, so no packet has this key.
constexpr FlowKey kNoFlow{be32(0xffffffff), be16(0xffff), {0xffff}};
static_assert(kServicesMax < 0xffff);

size_t buckets_for(size_t flows_max) {
  // Twice the places, so that a bucket is half full on the average; two buckets at least, which a flow needs.
  return std::bit_ceil(std::max<size_t>(2, 2 * flows_max / FlowTable::kStride));
}

}  // namespace

FlowTable::FlowTable(size_t flows_max, HashKey key)
    : hash_(key),
      flows_max_(std::bit_ceil(flows_max)),
      bucket_mask_(buckets_for(flows_max_) - 1),
      tags_(bucket_mask_ + 1),
      entries_((bucket_mask_ + 1) * kStride) {
  CHECK(flows_max >= 1);
  none_.key = kNoFlow;
}

FlowEntry* FlowTable::candidate_elsewhere(const Place& at) {
  const uint32_t ways = ways_with(tags_[at.bucket], at.tag);
  const uint32_t wanted = ways != 0 ? ways : ways_with(tags_[at.bucket], 0);
  if (wanted == 0) return &none_;
  FlowEntry* entry = &entries_[index_at(at.bucket, lowest_of(wanted))];
  __builtin_prefetch(entry, 1);
  return ways != 0 ? entry : &none_;
}

FlowEntry* FlowTable::find_in(size_t bucket, uint16_t tag, const FlowKey& key) {
  for (uint32_t ways = ways_with(tags_[bucket], tag); ways != 0; ways &= ways - 1) {
    FlowEntry& entry = entries_[index_at(bucket, lowest_of(ways))];
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

FlowEntry* FlowTable::find(const Place& at, const FlowKey& key) {
  if (FlowEntry* entry = find_in(at.bucket, at.tag, key)) return entry;
  return tags_[at.bucket].sent_away == 0 ? nullptr : find_in(second_bucket(at), at.tag, key);
}

FlowEntry* FlowTable::insert_in(size_t bucket, uint16_t tag, const FlowKey& key) {
  const uint32_t free = ways_with(tags_[bucket], 0);
  if (free == 0) return nullptr;
  const size_t way = lowest_of(free);
  tags_[bucket].way[way] = tag;
  FlowEntry& entry = entries_[index_at(bucket, way)];
  entry = FlowEntry{};
  entry.key = key;
  ++size_;
  return &entry;
}

FlowEntry* FlowTable::insert(const Place& at, const FlowKey& key) {
  if (size_ >= flows_max_) return nullptr;
  if (FlowEntry* entry = insert_in(at.bucket, at.tag, key)) return entry;
  FlowEntry* entry = insert_in(second_bucket(at), at.tag, key);
  if (entry != nullptr) ++tags_[at.bucket].sent_away;
  return entry;
}

void FlowTable::erase(FlowEntry* entry) {
  const size_t index = index_of(entry);
  const size_t bucket = index / kStride;
  uint16_t& tag = tags_[bucket].way[way_at(index)];
  CHECK(tag != 0);
  // Where it stands is its first bucket or its second.
  const size_t first = place(entry->key).bucket;
  if (first != bucket) --tags_[first].sent_away;
  tag = 0;
  entry->key = kNoFlow;
  --size_;
}

}  // namespace cheshire
