// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Reads a decision trace. Nothing in the bytes is believed before it was checked: a record that is not whole,
// whose CRC is wrong or whose values cannot be, is left out and told, and reading goes on at the next record.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "controlplane/trace/trace_record.h"
#include "result.h"

namespace cheshire {

struct TraceDamage {
  size_t offset = 0;
  size_t bytes = 0;
  std::string what;
};

struct Trace {
  std::vector<std::variant<TraceBegin, TraceRules, TraceDecision>> records;  // in their order
  std::vector<TraceDamage> damages;
};

[[nodiscard]] Trace read_trace(std::span<const std::byte> bytes);
// At most kTraceFileMax bytes.
inline constexpr size_t kTraceFileMax = size_t{1} << 30U;
[[nodiscard]] Result<Trace> read_trace_file(const std::string& path);

}  // namespace cheshire
