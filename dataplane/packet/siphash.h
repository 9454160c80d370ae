// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// SipHash-1-3 of one 64-bit word: the keyed hash for what can be seen from outside, as which instance a flow is steered
// to, which cookie an address gets, which bucket of the source guard it shares. A client that does not know the key can
// neither foretell nor choose it. The flow table, which nobody sees, has a cheaper one (flow_hash.h). Aumasson and Bernstein, "SipHash: a fast short-input
// PRF" (2012); one compression and three finalisation rounds, as hash tables commonly take.
#pragma once

#include <bit>
#include <cstdint>

namespace cheshire {

struct HashKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};

inline uint64_t siphash13(const HashKey& key, uint64_t word) {
  uint64_t v0 = 0x736f6d6570736575ULL ^ key.k0;
  uint64_t v1 = 0x646f72616e646f6dULL ^ key.k1;
  uint64_t v2 = 0x6c7967656e657261ULL ^ key.k0;
  uint64_t v3 = 0x7465646279746573ULL ^ key.k1;
  const auto round = [&] {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  };
  v3 ^= word;
  round();
  v0 ^= word;
  constexpr uint64_t kLengthBlock = 8ULL << 56U;  // the length, in the last block's top byte
  v3 ^= kLengthBlock;
  round();
  v0 ^= kLengthBlock;
  v2 ^= 0xff;
  round();
  round();
  round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace cheshire
