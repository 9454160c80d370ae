// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A keyed mix of small integers: connection table index, initial sequence number (RFC 6528), instance token.
// One 64 x 64 -> 128 bit multiplication folded by xor, the step of wyhash: a handful of instructions, and
// with a secret key good enough that an outsider cannot aim at one bucket. It is no cryptographic hash.
#pragma once

#include <cstdint>

namespace cheshire::grin {

[[nodiscard]] constexpr uint64_t mix64(uint64_t left, uint64_t right) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{left ^ 0xa076'1d64'78bd'642fULL} * (right ^ 0xe703'7ed1'a0b4'28dbULL);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace cheshire::grin
