// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a service says to a client that it cannot take: a whole HTTP response, formatted when the steering
// table is built, so that a worker only copies it. Immutable once published; shared by the tables in which
// it is the same.
//
// The number of Retry-After is written per answer, left in a field of kRetryDigits characters that blanks
// fill up: trailing blanks are no part of a field's value (RFC 9110 5.5), and the length stays the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cheshire {

inline constexpr size_t kRetryDigits = 5;
inline constexpr uint32_t kRetryAfterMaxS = 86'400;
// With its head it fits one segment of 1,220 bytes, the least that an IPv6 or tunnelled path leaves.
inline constexpr size_t kRefusalBodyMax = 1000;

struct RefusalPage {
  std::string full;        // head and body
  std::string bare;        // without a body, for a client whose MSS is too small: fits 536 bytes
  size_t head_length = 0;  // of `full`: all that a HEAD request is answered
  size_t full_retry_at = 0;
  size_t bare_retry_at = 0;
  uint32_t retry_after_s = 1;
  uint32_t retry_jitter_s = 0;  // up to so many seconds more, by client
};

}  // namespace cheshire
