// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Cuts a stream of bytes into lines, in bounded memory whatever the peer sends: of a line longer than the
// limit the first bytes are kept, the rest is dropped, and the line is marked as cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cheshire {

class LineSplitter {
 public:
  explicit LineSplitter(size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  // on_line(std::string_view line, bool cut) for each line that ends in `bytes`, without "\n" and "\r\n".
  template <typename OnLine>
  void feed(std::string_view bytes, OnLine&& on_line) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      keep(bytes.substr(0, end));
      if (end == std::string_view::npos) return;
      flush(on_line);
      bytes.remove_prefix(end + 1);
    }
  }

  // The line that the stream has begun and not ended, if any, as if it had ended here.
  template <typename OnLine>
  void finish(OnLine&& on_line) {
    if (!line_.empty() || cut_) flush(on_line);
  }

 private:
  void keep(std::string_view part) {
    const size_t room = line_bytes_max_ - line_.size();
    if (part.size() > room) cut_ = true;
    line_.append(part.substr(0, room));
  }

  template <typename OnLine>
  void flush(OnLine&& on_line) {
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    on_line(std::string_view(line_), cut_);
    line_.clear();
    cut_ = false;
  }

  const size_t line_bytes_max_;
  std::string line_;
  bool cut_ = false;
};

}  // namespace cheshire
