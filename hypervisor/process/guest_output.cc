// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/process/guest_output.h"

#include <algorithm>
#include <cctype>

#include "log.h"
#include "units.h"

namespace cheshire {
namespace {

constexpr size_t kWordsLinesMax = 3;

// "qemu-system-x86_64: -netdev …: no such file" without the program's name. The option stays: it says where.
std::string_view without_program(std::string_view line) {
  if (!line.starts_with("qemu")) return line;
  const size_t colon = line.find(": ");
  return colon == std::string_view::npos ? line : line.substr(colon + 2);
}

bool is_warning(std::string_view line) {
  return line.find("warning: ") != std::string_view::npos;
}

}  // namespace

std::string printable_text(std::string_view text) {
  std::string safe(text);
  for (char& c : safe) {
    if (std::isprint(static_cast<unsigned char>(c)) == 0) c = '?';
  }
  return safe;
}

void SerialLog::feed(std::string_view bytes, uint64_t now_ns) {
  lines_.feed(bytes, [&](std::string_view line, bool) { on_line(line, now_ns); });
}

void SerialLog::finish(uint64_t now_ns) {
  lines_.finish([&](std::string_view line, bool) { on_line(line, now_ns); });
  if (lines_not_logged_ > 0) {
    log::debug("{} serial: {} lines were not logged (limit {} a second)", instance_, lines_not_logged_,
               kLinesPerSecondMax);
  }
}

void SerialLog::on_line(std::string_view line, uint64_t now_ns) {
  if (line.empty()) return;
  if (now_ns - second_begin_ns_ >= kNsPerSecond) {
    second_begin_ns_ = now_ns;
    lines_this_second_ = 0;
  }
  last_line_ = printable_text(line);
  if (++lines_this_second_ > kLinesPerSecondMax) {
    ++lines_not_logged_;
    return;
  }
  log::debug("{} serial: {}", instance_, last_line_);
}

void LastWords::feed(std::string_view bytes) {
  lines_.feed(bytes, [this](std::string_view line, bool) { on_line(line); });
}

void LastWords::finish() {
  lines_.finish([this](std::string_view line, bool) { on_line(line); });
}

void LastWords::on_line(std::string_view line) {
  if (line.empty() || is_warning(line)) return;
  if (kept_.size() == kOutputLinesKept) kept_.pop_front();
  kept_.push_back(printable_text(without_program(line)));
}

std::string LastWords::text() const {
  // A KVM internal error comes first, then a dump of registers that helps nobody in one line.
  const auto internal = std::find_if(kept_.begin(), kept_.end(), [](const std::string& line) {
    return line.find("internal error") != std::string::npos;
  });
  if (internal != kept_.end()) return *internal;
  std::string text;
  const size_t first = kept_.size() - std::min(kept_.size(), kWordsLinesMax);
  for (size_t i = first; i < kept_.size(); ++i) {
    if (!text.empty()) text += "; ";
    text += kept_[i];
  }
  return text;
}

}  // namespace cheshire
