// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What one worker remembers of client addresses: which have proven that they receive what is sent to them,
// and how many refusals each has had lately.
//
// Shape: buckets of four sources, a cache line each, found by a keyed hash, so that nobody can choose
// addresses that fall into one bucket without the key. Memory is fixed at start. When a bucket is full the
// newcomer takes the place of the one that is worth least: first one that is not proven, among those the one
// whose last refusal is longest ago. A flood of made-up addresses therefore never drives out a proven one,
// as it brings no proof; only proven ones compete with proven ones.
//
// The refusals are a token bucket per source, kept as one time (GCRA): the moment at which it will be full
// again. Forgetting a source makes its bucket full, which errs on the side of an answer.
//
// Per worker: a source whose flows fall on several workers has its tokens on each of them.
// Pure: no DPDK. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "admission_rules.h"
#include "be.h"
#include "dataplane/packet/siphash.h"

namespace cheshire {

class SourceGuard {
 public:
  // Rounded up to a power of two, at least four.
  SourceGuard(size_t sources_max, HashKey key);

  [[nodiscard]] bool is_proven(be32 source, uint64_t now_ns) const;
  // Until then; an earlier proof is only prolonged.
  void remember_proof(be32 source, uint64_t now_ns, uint64_t until_ns);
  // Whether this source may be refused with an answer now; takes one token if so.
  [[nodiscard]] bool may_refuse(be32 source, uint64_t now_ns, const TokenRate& rate);

  // Bound hit: proven sources that had to be forgotten early, for another proven one.
  [[nodiscard]] uint64_t proofs_displaced() const { return proofs_displaced_; }
  [[nodiscard]] size_t sources_max() const { return (mask_ + 1) * kWays; }

 private:
  static constexpr size_t kWays = 4;
  struct Source {
    be32 address;               // 0.0.0.0: free
    uint32_t proven_until = 0;  // in units of 2^20 ns; 0: not proven
    uint64_t full_again_ns = 0;
  };
  struct alignas(64) Bucket {
    std::array<Source, kWays> ways;
  };
  static_assert(sizeof(Bucket) == 64);

  [[nodiscard]] Bucket& bucket_of(be32 source) const {
    return buckets_[siphash13(key_, source.raw()) & mask_];
  }
  [[nodiscard]] static bool proven(const Source& entry, uint64_t now_ns);
  [[nodiscard]] Source& find_or_take(be32 source, uint64_t now_ns, bool brings_proof, bool* found);

  const HashKey key_;
  size_t mask_;
  std::unique_ptr<Bucket[]> buckets_;
  uint64_t proofs_displaced_ = 0;
  Source nobody_;  // where an unproven newcomer is kept while its bucket is full of proven ones
};

// A token bucket of many takers, for the SYNs of a service. GCRA, as above.
class RateMeter {
 public:
  // Whether one more fits into rate and burst now; takes it if so. An interval of 0 lets everything pass.
  [[nodiscard]] bool take(uint64_t now_ns, const TokenRate& rate) {
    if (rate.interval_ns == 0) return true;
    const uint64_t from_ns = full_again_ns_ > now_ns ? full_again_ns_ : now_ns;
    if (from_ns + rate.interval_ns > now_ns + rate.interval_ns * rate.burst) return false;
    full_again_ns_ = from_ns + rate.interval_ns;
    return true;
  }

 private:
  uint64_t full_again_ns_ = 0;
};

}  // namespace cheshire
