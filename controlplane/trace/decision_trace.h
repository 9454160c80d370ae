// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Keeps the decisions of the control thread: the newest in a ring in memory, and all of them in a file if
// there is one. Layout of both: trace_record.h.
//
// The control thread never waits for a disk: it appends to a buffer, and a thread of this class writes that
// out ten times a second. What does not fit into the buffer meanwhile is lost and counted. A file that
// reaches its bound becomes FILE.1, in place of an older one, and a new one begins.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/trace/trace_record.h"
#include "handle.h"
#include "result.h"

namespace cheshire {

class DecisionTrace {
 public:
  static constexpr size_t kRingRecords = 4096;
  static constexpr size_t kBufferBytes = size_t{1} << 20U;

  DecisionTrace() { ring_.reserve(kRingRecords); }
  DecisionTrace(const DecisionTrace&) = delete;
  DecisionTrace& operator=(const DecisionTrace&) = delete;
  // Writes out what is left.
  ~DecisionTrace();

  // Once, before anything is appended. What was in the file becomes FILE.1.
  [[nodiscard]] Result<void> write_to(const std::string& path, uint64_t max_bytes);

  // Control thread.
  void append(const TraceRules& rules);
  void append(const TraceDecision& decision);

  // Any thread. Decisions have numbers, 1, 2, 3 …
  struct Numbered {
    uint64_t number;
    TraceDecision decision;
  };
  [[nodiscard]] std::vector<Numbered> latest(size_t skip_oldest, size_t count_max) const;
  [[nodiscard]] uint64_t total() const;
  [[nodiscard]] uint64_t lost() const;  // bound hit: the buffer was full

 private:
  void append_bytes(const void* record, size_t size);
  void run_writer();
  void write_out(const std::vector<std::byte>& bytes, const std::vector<TraceRules>& rules);
  [[nodiscard]] bool open_file(const std::vector<TraceRules>& rules);
  void write_all(const void* bytes, size_t size);

  mutable std::mutex mutex_;  // guards what follows
  std::vector<TraceDecision> ring_;
  uint64_t total_ = 0;
  uint64_t lost_ = 0;
  std::vector<std::byte> buffer_;
  std::map<uint16_t, TraceRules> rules_;  // of each service, the newest: every file begins with them
  bool ending_ = false;
  std::condition_variable wake_;

  // writer thread, once it runs
  std::string path_;
  uint64_t max_bytes_ = 0;
  uint64_t written_ = 0;
  bool complained_ = false;
  UniqueFd file_;
  std::thread writer_;
};

}  // namespace cheshire
