// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A flow table and a std::unordered_map that go through the same operations. Each answer of the table is
// CHECKed against the map. For the unit tests (seeded operations) and the fuzz target (any operations).
#pragma once

#include <cstdint>
#include <set>
#include <unordered_map>

#include "check.h"
#include "dataplane/flow/flow_table.h"

namespace cheshire::test {

inline FlowKey flow_key(uint64_t number) {
  return {.client_ip = be32(static_cast<uint32_t>(number >> 16U)),
          .client_port = be16(static_cast<uint16_t>(number)),
          .service = {static_cast<uint16_t>(number >> 48U)}};
}

class FlowTableTwin {
 public:
  FlowTableTwin(size_t flows_max, HashKey key) : table_(flows_max, key) {}

  // Inserts if the key is not there. True: it is there now.
  bool insert(const FlowKey& key) {
    if (model_.contains(key.as_integer())) {
      find(key);
      return true;
    }
    FlowEntry* entry = table_.insert(key);
    if (entry == nullptr) {
      // Refused at the limit, or because two whole buckets are full.
      CHECK(model_.size() == table_.flows_max() || model_.size() >= 2 * FlowTable::kWays);
      return false;
    }
    CHECK(model_.size() < table_.flows_max());
    CHECK(entry->key == key && entry->generation.value == 0 && entry->state == FlowState::kHeld);
    CHECK(entry->last_seen == 0 && entry->guest_next == 0 && entry->flags == FlowFlags{} &&
          entry->vlan_tci == 0);
    // Something to recognise the entry by; the next user of its place must not see it.
    entry->generation = {++stamps_};
    entry->last_seen = stamps_;
    entry->guest_next = ~stamps_;
    entry->state = FlowState::kOpen;
    entry->flags = FlowFlag::kHoldsSyn;
    entry->vlan_tci = 7;
    model_.emplace(key.as_integer(), stamps_);
    CHECK(table_.size() == model_.size());
    return true;
  }

  void find(const FlowKey& key) {
    const auto expected = model_.find(key.as_integer());
    const FlowEntry* entry = table_.find(key);
    CHECK((entry != nullptr) == (expected != model_.end()));
    if (entry != nullptr) check_entry(*entry);
  }

  void erase(const FlowKey& key) {
    FlowEntry* entry = table_.find(key);
    CHECK((entry != nullptr) == (model_.erase(key.as_integer()) == 1));
    if (entry == nullptr) return;
    table_.erase(entry);
    CHECK(table_.find(key) == nullptr && table_.size() == model_.size());
  }

  // One step of a sweep that goes on where the last one ended, erasing some of what it visits.
  template <typename Erase>
  void sweep(size_t buckets, Erase&& wants_erased) {
    cursor_ = table_.sweep(cursor_, buckets, [&](FlowEntry& entry) {
      check_entry(entry);
      if (!wants_erased(entry.key)) return;
      model_.erase(entry.key.as_integer());
      table_.erase(&entry);
    });
    CHECK(cursor_ < table_.bucket_count() && table_.size() == model_.size());
  }

  // Everything once: what a sweep from the start visits is exactly what the map holds.
  void check_all() {
    CHECK(table_.size() == model_.size() && table_.size() <= table_.flows_max());
    std::set<uint64_t> seen;
    std::set<size_t> places;
    const size_t end = table_.sweep(0, table_.bucket_count(), [&](FlowEntry& entry) {
      check_entry(entry);
      CHECK(seen.insert(entry.key.as_integer()).second);
      CHECK(places.insert(table_.index_of(&entry)).second);
    });
    CHECK(end == 0 && seen.size() == model_.size());
    CHECK(places.empty() || *places.rbegin() < table_.bucket_count() * FlowTable::kStride);
    for (const auto& [key, stamp] : model_) CHECK(table_.find(std::bit_cast<FlowKey>(key)) != nullptr);
  }

  [[nodiscard]] FlowTable& table() { return table_; }
  [[nodiscard]] size_t size() const { return model_.size(); }

 private:
  void check_entry(const FlowEntry& entry) {
    const auto expected = model_.find(entry.key.as_integer());
    CHECK(expected != model_.end());
    CHECK(entry.generation.value == expected->second && entry.guest_next == ~expected->second);
    CHECK(entry.state == FlowState::kOpen && entry.vlan_tci == 7);
  }

  FlowTable table_;
  std::unordered_map<uint64_t, uint32_t> model_;  // key to stamp
  uint32_t stamps_ = 0;
  size_t cursor_ = 0;
};

}  // namespace cheshire::test
