// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/source_guard.h"

#include <algorithm>
#include <bit>

namespace cheshire {
namespace {

// Coarse time, about a millisecond; wraps after 52 days, and differences of less than half of that are right.
constexpr unsigned kTimeShift = 20;

uint32_t coarse(uint64_t ns) {
  const auto time = static_cast<uint32_t>(ns >> kTimeShift);
  return time == 0 ? 1 : time;  // 0 says "not proven"
}

}  // namespace

SourceGuard::SourceGuard(size_t sources_max, HashKey key)
    : key_(key), mask_(std::max<size_t>(std::bit_ceil(sources_max) / kWays, 1) - 1) {
  buckets_ = std::make_unique<Bucket[]>(mask_ + 1);
}

bool SourceGuard::proven(const Source& entry, uint64_t now_ns) {
  if (entry.proven_until == 0) return false;
  return static_cast<int32_t>(entry.proven_until - static_cast<uint32_t>(now_ns >> kTimeShift)) > 0;
}

bool SourceGuard::is_proven(be32 source, uint64_t now_ns) const {
  for (const Source& entry : bucket_of(source).ways) {
    if (entry.address == source) return proven(entry, now_ns);
  }
  return false;
}

// The source's entry, or one that is made free for it.
SourceGuard::Source& SourceGuard::find_or_take(be32 source, uint64_t now_ns, bool brings_proof, bool* found) {
  Source* least = nullptr;
  const auto worth = [now_ns](const Source& entry) {
    return std::pair(proven(entry, now_ns), entry.full_again_ns);
  };
  *found = true;
  for (Source& entry : bucket_of(source).ways) {
    if (entry.address == source) return entry;
    if (least == nullptr || worth(entry) < worth(*least)) least = &entry;
  }
  *found = false;
  if (proven(*least, now_ns)) {
    if (!brings_proof) {
      nobody_ = Source{};
      return nobody_;
    }
    ++proofs_displaced_;
  }
  *least = Source{.address = source};
  return *least;
}

void SourceGuard::remember_proof(be32 source, uint64_t now_ns, uint64_t until_ns) {
  bool found = false;
  Source& entry = find_or_take(source, now_ns, true, &found);
  if (!found) entry.full_again_ns = now_ns;
  const uint32_t until = coarse(until_ns);
  if (!proven(entry, now_ns) || static_cast<int32_t>(until - entry.proven_until) > 0) {
    entry.proven_until = until;
  }
}

bool SourceGuard::may_refuse(be32 source, uint64_t now_ns, const TokenRate& rate) {
  if (rate.interval_ns == 0) return true;
  bool found = false;
  Source& entry = find_or_take(source, now_ns, false, &found);
  const uint64_t from_ns = std::max(entry.full_again_ns, now_ns);
  if (from_ns + rate.interval_ns > now_ns + rate.interval_ns * rate.burst) return false;
  entry.full_again_ns = from_ns + rate.interval_ns;
  return true;
}

}  // namespace cheshire
