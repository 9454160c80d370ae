// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/maglev.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace cheshire {
namespace {

// Primes, each about four times the one before.
constexpr std::array<uint32_t, 6> kSizes = {1021, 4093, 16381, 65521, 131071, 1048573};
constexpr size_t kEntriesPerMember = 100;

uint32_t size_for(size_t members) {
  const auto fits = [members](uint32_t size) { return size >= members * kEntriesPerMember; };
  const auto* found = std::find_if(kSizes.begin(), kSizes.end(), fits);
  return found == kSizes.end() ? kSizes.back() : *found;
}

// SplitMix64's finaliser: slot numbers are small and close together, their permutations must not be.
uint64_t mixed(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

struct Permutation {
  uint32_t next;
  uint32_t skip;
};

}  // namespace

MaglevTable build_maglev(std::span<const SlotIndex> members) {
  MaglevTable table;
  if (members.empty()) return table;
  const uint32_t size = size_for(members.size());
  std::vector<Permutation> permutations;
  permutations.reserve(members.size());
  for (const SlotIndex slot : members) {
    const uint64_t hash = mixed(slot.value);
    permutations.push_back({.next = static_cast<uint32_t>(hash % size),
                            .skip = static_cast<uint32_t>((hash >> 32U) % (size - 1)) + 1});
  }
  table.slots.resize(size);
  std::vector<bool> taken(size);
  for (uint32_t filled = 0; filled < size;) {
    for (size_t i = 0; i < members.size() && filled < size; ++i) {
      Permutation& its = permutations[i];
      const auto step = [&] {
        its.next += its.skip;
        if (its.next >= size) its.next -= size;
      };
      while (taken[its.next]) step();
      taken[its.next] = true;
      table.slots[its.next] = members[i];
      step();
      ++filled;
    }
  }
  return table;
}

std::shared_ptr<const MaglevTable> MaglevTables::table(ServiceIndex service,
                                                       const std::vector<SlotIndex>& members) {
  if (made_.size() <= service.value) made_.resize(service.value + 1U);
  Made& made = made_[service.value];
  if (made.table == nullptr || made.members != members) {
    made = {members, std::make_shared<const MaglevTable>(build_maglev(members))};
  }
  return made.table;
}

}  // namespace cheshire
