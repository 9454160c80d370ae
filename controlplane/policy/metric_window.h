// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Means and maxima over a sliding window of time, in constant memory: the window is kept in eighths.
//
//   WindowRate   of a cumulative count: its growth per second over the last seven to eight eighths. Nothing
//                that was counted between two looks is missed, whenever they come.
//   WindowMax    of a level: the largest that was seen in the window (up to an eighth longer)
//   Smoothed     an exponential mean on top of either
//
// Control thread only. Times must not run backwards.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "units.h"

namespace cheshire {

inline constexpr size_t kWindowParts = 8;

class WindowRate {
 public:
  void look(uint64_t now_ns, uint64_t count, uint64_t window_ns) {
    now_ns_ = now_ns;
    count_ = count;
    if (kept_ != 0 && now_ns - last().time_ns < window_ns / kWindowParts) return;
    marks_[next_] = {now_ns, count};
    next_ = (next_ + 1) % marks_.size();
    kept_ = std::min(kept_ + 1, marks_.size());
  }
  void forget() { kept_ = 0; }

  // Growth and the time it took, over the longest span that is at most the window, or the shortest that is
  // longer; nullopt while less than three quarters of the window were seen.
  struct Span {
    uint64_t count;
    uint64_t ns;
  };
  [[nodiscard]] std::optional<Span> span(uint64_t window_ns) const {
    std::optional<Span> found;
    for (size_t age = kept_; age > 0; --age) {  // the oldest first
      const Mark& mark = marks_[(next_ + marks_.size() - age) % marks_.size()];
      const uint64_t ns = now_ns_ - mark.time_ns;
      if (ns == 0 || ns < window_ns / 4 * 3) break;
      found = Span{count_ - mark.count, ns};
      if (ns <= window_ns) break;  // else looks came late, and the newest mark that is old enough has to do
    }
    return found;
  }
  [[nodiscard]] std::optional<int64_t> per_second(uint64_t window_ns) const {
    const auto grown = span(window_ns);
    if (!grown) return std::nullopt;
    return static_cast<int64_t>(static_cast<double>(grown->count) * 1e9 / static_cast<double>(grown->ns));
  }

 private:
  struct Mark {
    uint64_t time_ns = 0;
    uint64_t count = 0;
  };
  [[nodiscard]] const Mark& last() const { return marks_[(next_ + marks_.size() - 1) % marks_.size()]; }

  std::array<Mark, kWindowParts + 1> marks_{};
  size_t next_ = 0;
  size_t kept_ = 0;
  uint64_t now_ns_ = 0;
  uint64_t count_ = 0;
};

class WindowMax {
 public:
  void look(uint64_t now_ns, int64_t level, uint64_t window_ns) {
    const uint64_t part = now_ns / std::max<uint64_t>(window_ns / kWindowParts, 1);
    // Parts that nobody looked at hold what was true before them: a level stays until it is seen to change.
    const uint64_t skipped = std::min<uint64_t>(part - part_, maxima_.size());
    for (uint64_t i = 0; i < skipped; ++i) maxima_[(part - i) % maxima_.size()] = level;
    part_ = part;
    int64_t& here = maxima_[part % maxima_.size()];
    here = std::max(here, level);
  }
  [[nodiscard]] int64_t get() const { return *std::max_element(maxima_.begin(), maxima_.end()); }

 private:
  std::array<int64_t, kWindowParts + 1> maxima_{};
  uint64_t part_ = 0;
};

class Smoothed {
 public:
  // `time_constant_ns` 0: the value itself.
  int64_t look(uint64_t now_ns, int64_t value, uint64_t time_constant_ns) {
    const auto exact = static_cast<double>(value);
    if (time_constant_ns == 0 || seen_ns_ == 0) {
      mean_ = exact;
    } else {
      const auto passed = static_cast<double>(now_ns - seen_ns_);
      mean_ += (exact - mean_) * (1 - std::exp(-passed / static_cast<double>(time_constant_ns)));
    }
    seen_ns_ = now_ns;
    return static_cast<int64_t>(std::llround(mean_));
  }

 private:
  double mean_ = 0;
  uint64_t seen_ns_ = 0;
};

}  // namespace cheshire
