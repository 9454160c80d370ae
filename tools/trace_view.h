// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// `cheshire trace` and `cheshire replay`: decision traces for people and as JSON lines. Exit codes: 0; 1 if a
// replay under the same rules differs, or a file cannot be read; damage is told on `errors` and is no failure.
#pragma once

#include <iosfwd>
#include <string>

#include "tools/telemetry_client.h"

namespace cheshire {

// A file that a daemon wrote (control.trace).
[[nodiscard]] int show_trace_file(const std::string& path, bool json, std::ostream& out,
                                  std::ostream& errors);
// The newest decisions of a running daemon: its answer to /cheshire/decisions.
void show_live_decisions(const Json& decisions, bool json, std::ostream& out);

struct ReplayOptions {
  std::string trace;
  std::string config;  // empty: the rules in the trace
  bool json = false;
};
[[nodiscard]] int replay_trace_file(const ReplayOptions& options, std::ostream& out, std::ostream& errors);

}  // namespace cheshire
