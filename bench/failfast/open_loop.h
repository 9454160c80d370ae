// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// An open-loop HTTP load: requests start at moments fixed in advance, one real TCP connection each, however
// slow the answers are. A request's time counts from the moment at which it was to start, so that a client
// that falls behind, or a connection that takes long to open, hides nothing (coordinated omission).
//
// A client that is refused may come again: after Retry-After where a 503 names one, after a pause of its own
// where it was reset. Each of its tries is a request of its own in the figures; what became of it in the end
// is counted besides.
//
// epoll, in one thread, or in several that take the requests in turns: where more connections may be open at once than
// a process may have files, as a thread can have a table of files of its own. Ends when all requests have ended; each
// ends at `timeout` at the latest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "be.h"
#include "result.h"

namespace cheshire::bench {

enum class Answer : uint8_t { k200, k503, kOtherStatus, kReset, kTimeout, kError };
inline constexpr std::array<std::string_view, 6> kAnswerNames = {"200",   "503",     "other",
                                                                 "reset", "timeout", "error"};

struct Phase {
  double per_second = 0;
  double seconds = 0;
};

struct LoadOptions {
  be32 address;
  be16 port;
  std::vector<Phase> phases;
  uint64_t requests_max = 1'000'000;  // of the phases, retries not counted
  be32 first_source;                  // clients come from here on; 0.0.0.0: wherever the kernel says
  uint32_t sources = 1;
  uint64_t timeout_ns = 60'000'000'000;
  uint32_t retries = 0;                     // of a refused request
  uint64_t reset_pause_ns = 1'000'000'000;  // before a retry that no Retry-After paces
  bool obey_retry_after = true;             // else after reset_pause, too: a rude client
};

struct Record {
  uint64_t start_ns = 0;    // when it was to start, since the begin of the load
  uint64_t latency_ns = 0;  // from then to its end
  Answer answer = Answer::kError;
  uint8_t tries = 1;  // which try of its client this was
};

struct LoadResult {
  std::vector<Record> records;  // in order of their ends
  uint64_t asked = 0;           // requests of the phases
  uint64_t served = 0;          // … that had a 200 in the end
  uint64_t late_ns = 0;         // the longest that a request started after its moment
  uint64_t open_most = 0;       // connections open at once; of several threads the sum
};

[[nodiscard]] Result<LoadResult> run_load(const LoadOptions& options);

}  // namespace cheshire::bench
