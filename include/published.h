// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// An immutable value that one thread publishes and polling threads read without a lock or a wait.
//
// Terms: each published value has a version, 1, 2, 3 …; a reader `passes` version v when it promises never
// again to touch a value older than v. A quiescent state, in RCU's words.
//
// Why it is right: publish() stores the pointer with release, latest() loads it with acquire (the partner),
// so a reader sees the value whole. reclaim() frees a value only if every reader has passed a newer version;
// pass() stores with release after the reader's last use, reclaim() loads with acquire (the partner), so the
// last use happens before the free. The writer never waits: what cannot be freed yet is freed by a later
// call. A reader that does not run (shut down) must pass kNeverReads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

#include "check.h"

namespace cheshire {

template <typename T>
class Published {
 public:
  struct Versioned {
    uint64_t version;
    T value;
  };
  static constexpr uint64_t kNeverReads = std::numeric_limits<uint64_t>::max();

  explicit Published(size_t readers) : passed_(readers) { CHECK(readers > 0); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // writer only; returns the new version
  uint64_t publish(T value) {
    kept_.push_back(std::make_unique<const Versioned>(Versioned{++version_, std::move(value)}));
    current_.store(kept_.back().get(), std::memory_order_release);  // partner: latest()
    reclaim();
    return version_;
  }

  // writer only
  void reclaim() {
    const uint64_t oldest = oldest_in_use();
    while (kept_.size() > 1 && kept_.front()->version < oldest) kept_.pop_front();
  }

  // writer only: true when no reader can act on a version older than this one any more
  [[nodiscard]] bool passed_by_all(uint64_t version) const { return oldest_in_use() >= version; }
  [[nodiscard]] size_t values_kept() const { return kept_.size(); }

  // reader: nullptr before the first publication
  [[nodiscard]] const Versioned* latest() const { return current_.load(std::memory_order_acquire); }
  // reader number `reader`: holds nothing older than `version` from here on
  void pass(size_t reader, uint64_t version) {
    passed_[reader].version.store(version, std::memory_order_release);  // partner: oldest_in_use()
  }

 private:
  struct alignas(64) Passed {
    std::atomic<uint64_t> version{0};  // writer: this reader; readers: the publisher
  };

  [[nodiscard]] uint64_t oldest_in_use() const {
    uint64_t oldest = kNeverReads;
    for (const Passed& reader : passed_) {
      oldest = std::min(oldest, reader.version.load(std::memory_order_acquire));
    }
    return oldest;
  }

  std::atomic<const Versioned*> current_{nullptr};  // writer: publisher; readers: all
  std::deque<std::unique_ptr<const Versioned>> kept_;
  uint64_t version_ = 0;
  std::vector<Passed> passed_;
};

}  // namespace cheshire
