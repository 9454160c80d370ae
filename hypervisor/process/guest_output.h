// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a VM's process writes: the guest's serial console, and QEMU's complaints. Both are outside input
// (the guest chooses its bytes), so all of it is bounded: line length, lines logged per second, lines kept.
// Control characters become '?', so that a guest cannot forge log lines or reach a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "hypervisor/process/line_splitter.h"

namespace cheshire {

inline constexpr size_t kOutputLineBytesMax = 256;
inline constexpr size_t kOutputLinesKept = 48;  // a register dump of QEMU's has some 30 lines

// Text of another process, with '?' for each byte that is no printable character.
[[nodiscard]] std::string printable_text(std::string_view text);

// The serial console, to the log at level debug.
class SerialLog {
 public:
  static constexpr uint64_t kLinesPerSecondMax = 50;

  explicit SerialLog(std::string instance) : instance_(std::move(instance)) {}
  void feed(std::string_view bytes, uint64_t now_ns);
  // At the end of the instance: the unfinished line, and what was not logged.
  void finish(uint64_t now_ns);
  [[nodiscard]] uint64_t lines_not_logged() const { return lines_not_logged_; }
  // The last line that has anything on it.
  [[nodiscard]] const std::string& last_line() const { return last_line_; }

 private:
  void on_line(std::string_view line, uint64_t now_ns);

  const std::string instance_;
  LineSplitter lines_{kOutputLineBytesMax};
  std::string last_line_;
  uint64_t second_begin_ns_ = 0;
  uint64_t lines_this_second_ = 0;
  uint64_t lines_not_logged_ = 0;
};

// QEMU's standard error: the last lines are kept, to become the reason of its exit.
class LastWords {
 public:
  void feed(std::string_view bytes);
  void finish();
  // The few lines that say what went wrong, in one: warnings, the program's name and dumps are left out.
  // Empty if QEMU said nothing.
  [[nodiscard]] std::string text() const;

 private:
  void on_line(std::string_view line);

  LineSplitter lines_{kOutputLineBytesMax};
  std::deque<std::string> kept_;
};

}  // namespace cheshire
