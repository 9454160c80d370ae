// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// SYN cookies: a sequence number of ours that proves, when it comes back, that somebody receives packets at
// the address that the SYN came from. Nothing is kept between the SYN and the proof.
//
//   cookie: [ parity of the epoch 1 | MSS class 2 | keyed hash 29 ]
//
// The hash is SipHash-1-3 over kind, MSS class, service, client address and port, under a key of the epoch;
// an epoch lasts `period`, its key is drawn from a master key by its number, and the key before it is still
// accepted, so a cookie lives for one to two periods. All workers have the same master key and clock, so any
// of them can check what another one made. A guess is right once in 2^28 (two epochs).
//
// The client's own sequence number is left out on purpose: of a later segment of the client it could not be
// known, and a stateless refusal (http_refusal.h) must recognise those too. A cookie that somebody replays
// from the same address and port while it lives proves the same as at first.
//
// Two kinds, so that none serves as the other:
//   kHandshake  the sequence number of a SYN-ACK of ours: the client's ACK carries it plus one
//   kChallenge  the acknowledgment of an ACK that no client can have expected: its reset carries it
//
// What a SYN-ACK with a cookie offers: an MSS, and nothing else. No window scaling, no SACK, no timestamps:
// what the client said of them cannot be remembered, and one answer of one segment needs none (RFC 7323 2.2:
// an option that only one side sends is off).
//
// Pure: no DPDK. One thread. Fuzzed by tests/fuzz/refusal_fuzz.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/siphash.h"

namespace cheshire {

enum class CookieKind : uint8_t { kHandshake, kChallenge };

// The largest segment that the client takes, rounded down to one of four.
inline constexpr std::array<uint16_t, 4> kMssClasses = {536, 1220, 1440, 1460};
// RFC 9293 3.7.1: of a client that does not say.
inline constexpr uint16_t kMssUnsaid = 536;

// The MSS that the options of a SYN name; kMssUnsaid where they name none, or where they are not well formed.
[[nodiscard]] uint16_t mss_of_options(std::span<const uint8_t> options);
// The class of an MSS; nothing for one below the smallest: such a client gets no cookie.
[[nodiscard]] std::optional<uint8_t> mss_class(uint16_t mss);

class SynCookies {
 public:
  SynCookies(HashKey master, uint64_t period_ns) : master_(master), period_ns_(period_ns) {}

  // `now_ns` of any call: at least that of the one before.
  [[nodiscard]] uint32_t make(CookieKind kind, const FlowKey& flow, uint8_t mss_class, uint64_t now_ns);
  // The MSS class of a cookie that was made for this flow and has not expired.
  [[nodiscard]] std::optional<uint8_t> check(CookieKind kind, const FlowKey& flow, uint32_t cookie,
                                             uint64_t now_ns);

 private:
  void roll(uint64_t now_ns);
  [[nodiscard]] HashKey key_of(uint64_t epoch) const;

  const HashKey master_;
  const uint64_t period_ns_;
  uint64_t epoch_ = ~uint64_t{0};  // whose key is in keys_[epoch_ & 1]
  uint64_t next_roll_ns_ = 0;      // when the next one begins
  std::array<HashKey, 2> keys_;    // by parity of the epoch
};

}  // namespace cheshire
