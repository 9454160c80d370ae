// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a thread and its process have used, from /proc. Files stay open: a look is a read.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "handle.h"

namespace cheshire {

class ProcessUsage {
 public:
  // The thread `tid` of process `pid`; the same number for its first thread. Nothing is open if it is gone.
  ProcessUsage(pid_t pid, pid_t tid);

  // Time on a CPU, from schedstat; some 10 us.
  [[nodiscard]] std::optional<uint64_t> cpu_ns() const;
  // Anonymous and shared memory in the process' page tables, guest included, program text left out; some 50
  // us.
  [[nodiscard]] std::optional<uint64_t> memory_bytes() const;

 private:
  UniqueFd schedstat_;
  UniqueFd status_;
};

// Pure: the first number of schedstat; RssAnon and RssShmem of status, in bytes.
[[nodiscard]] std::optional<uint64_t> parse_schedstat(std::string_view text);
[[nodiscard]] std::optional<uint64_t> parse_status_memory(std::string_view text);

}  // namespace cheshire
