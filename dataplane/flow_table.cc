// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow_table.h"

#include <algorithm>
#include <bit>

#include "check.h"

namespace cheshire {

FlowTable::FlowTable(size_t flows_max, HashKey key) : key_(key), flows_max_(std::bit_ceil(flows_max)) {
  CHECK(flows_max >= 1);
  // Twice the places: at half load two buckets of eight that are both full are out of a client's reach.
  const size_t buckets = std::max<size_t>(2, 2 * flows_max_ / kWays);
  bucket_mask_ = buckets - 1;
  tags_ = std::make_unique<Tags[]>(buckets);
  entries_ = std::make_unique<FlowEntry[]>(buckets * kWays);
}

FlowTable::Place FlowTable::place(const FlowKey& key) const {
  const uint64_t hash = siphash13(key_, key.as_integer());
  const auto tag = static_cast<uint16_t>((hash >> 48U) | 1U);  // never 0: 0 is empty
  const size_t first = hash & bucket_mask_;
  // An odd multiplier spreads the tag; the xor makes the pair symmetric and never the same bucket twice.
  const size_t distance = ((tag * 0x9e3779b97f4a7c15ULL >> 32U) | 1U) & bucket_mask_;
  return {first, first ^ distance, tag};
}

FlowEntry* FlowTable::find_in(size_t bucket, uint16_t tag, const FlowKey& key) {
  for (size_t way = 0; way < kWays; ++way) {
    if (tags_[bucket].way[way] != tag) continue;
    FlowEntry& entry = entries_[bucket * kWays + way];
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

FlowEntry* FlowTable::find(const FlowKey& key) {
  const Place at = place(key);
  if (FlowEntry* entry = find_in(at.first, at.tag, key)) return entry;
  return find_in(at.second, at.tag, key);
}

size_t FlowTable::used_in(size_t bucket) const {
  const auto& ways = tags_[bucket].way;
  return kWays - static_cast<size_t>(std::count(ways.begin(), ways.end(), uint16_t{0}));
}

FlowEntry* FlowTable::insert(const FlowKey& key) {
  if (size_ >= flows_max_) return nullptr;
  const Place at = place(key);
  const size_t bucket = used_in(at.first) <= used_in(at.second) ? at.first : at.second;
  auto& ways = tags_[bucket].way;
  const auto free = std::find(ways.begin(), ways.end(), uint16_t{0});
  if (free == ways.end()) return nullptr;
  *free = at.tag;
  FlowEntry& entry = entries_[bucket * kWays + static_cast<size_t>(free - ways.begin())];
  entry = FlowEntry{};
  entry.key = key;
  ++size_;
  return &entry;
}

void FlowTable::erase(FlowEntry* entry) {
  const size_t index = index_of(entry);
  uint16_t& tag = tags_[index / kWays].way[index % kWays];
  CHECK(tag != 0);
  tag = 0;
  --size_;
}

}  // namespace cheshire
