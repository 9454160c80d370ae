// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How a service takes new flows, and refuses them: what the workers need of `overload`, `flood`, `health` and
// `in_flight.hard` (docs/overload.md). Made by controlplane/fleet/admission_rules_book.h, immutable once published.
#pragma once

#include <cstdint>

#include "refusal_page.h"

namespace cheshire {

// What becomes of a new flow that no instance can take.
enum class OverloadAction : uint8_t {
  kReset,    // refused at once
  kHttp503,  // told 503 over plain HTTP, statelessly
  kHold,     // parked, within hold.*, then reset
  kDrop,     // no answer
};

// From whom a proof of his address is wanted before his SYN wakes or loads an instance.
enum class Challenge : uint8_t {
  kNever,
  kFlood,  // from the unknown, while more than syn_rate of them come
  kWake,   // likewise, and from each unknown whose SYN would wake another instance
};

// So many at once, and one more each interval.
struct TokenRate {
  uint64_t interval_ns = 0;  // 0: as many as there are
  uint32_t burst = 1;
};

struct AdmissionRules {
  OverloadAction action = OverloadAction::kReset;
  Challenge challenge = Challenge::kNever;
  bool hard_is_auto = false;
  bool any_unknown_proves = false;  // flood.syn_rate: 0
  TokenRate refusals;               // of one client address
  TokenRate syns;                   // of the service, from unknown addresses
  uint64_t remember_ns = 0;
  uint64_t probe_every_ns = 0;  // an instance without flows; 0: never
  RefusalPage page;             // with kHttp503
};

// Of a service that says nothing: tests.
inline const AdmissionRules kPlainRules;

}  // namespace cheshire
