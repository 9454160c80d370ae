// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/trace/decision_trace.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "log.h"

namespace cheshire {
namespace {

constexpr std::chrono::milliseconds kWritePeriod{100};

TraceBegin begin_record() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  TraceBegin begin;
  begin.monotonic_ns = monotonic_ns();
  begin.realtime_ns = static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
  seal(begin);
  return begin;
}

}  // namespace

DecisionTrace::~DecisionTrace() {
  if (!writer_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  writer_.join();
}

Result<void> DecisionTrace::write_to(const std::string& path, uint64_t max_bytes) {
  path_ = path;
  max_bytes_ = max_bytes;
  if (!open_file({})) {
    return Error{ErrorCode::kUnavailable,
                 "control.trace: cannot write " + path + ": " + std::strerror(errno)};
  }
  buffer_.reserve(kBufferBytes);
  writer_ = std::thread([this] { run_writer(); });
  return {};
}

void DecisionTrace::append(const TraceRules& rules) {
  const std::lock_guard lock(mutex_);
  rules_[rules.service] = rules;
  append_bytes(&rules, sizeof(rules));
}

void DecisionTrace::append(const TraceDecision& decision) {
  const std::lock_guard lock(mutex_);
  if (ring_.size() < kRingRecords) {
    ring_.push_back(decision);
  } else {
    ring_[total_ % kRingRecords] = decision;
  }
  ++total_;
  append_bytes(&decision, sizeof(decision));
}

void DecisionTrace::append_bytes(const void* record, size_t size) {
  if (path_.empty()) return;
  if (buffer_.size() + size > kBufferBytes) {
    ++lost_;
    return;
  }
  const auto* bytes = static_cast<const std::byte*>(record);
  buffer_.insert(buffer_.end(), bytes, bytes + size);
}

std::vector<DecisionTrace::Numbered> DecisionTrace::latest(size_t skip_oldest, size_t count_max) const {
  const std::lock_guard lock(mutex_);
  std::vector<Numbered> decisions;
  const uint64_t oldest = total_ - ring_.size();
  for (uint64_t n = oldest + skip_oldest; n < total_ && decisions.size() < count_max; ++n) {
    decisions.push_back({n + 1, ring_[n % kRingRecords]});
  }
  return decisions;
}

uint64_t DecisionTrace::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

uint64_t DecisionTrace::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

void DecisionTrace::run_writer() {
  ::prctl(PR_SET_NAME, "trace-writer");
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, kWritePeriod, [this] { return ending_; });
    const bool last = ending_;
    if (!buffer_.empty()) {
      std::vector<std::byte> bytes;
      bytes.reserve(kBufferBytes);
      bytes.swap(buffer_);
      std::vector<TraceRules> rules;
      for (const auto& [service, newest] : rules_) rules.push_back(newest);
      lock.unlock();
      write_out(bytes, rules);
      lock.lock();
    }
    if (last) return;
  }
}

void DecisionTrace::write_out(const std::vector<std::byte>& bytes, const std::vector<TraceRules>& rules) {
  if (written_ != 0 && written_ + bytes.size() > max_bytes_ && !open_file(rules)) {
    log::error("control.trace: cannot begin {} anew: {}; decisions are kept in memory only", path_,
               std::strerror(errno));
  }
  if (file_.valid()) write_all(bytes.data(), bytes.size());
}

bool DecisionTrace::open_file(const std::vector<TraceRules>& rules) {
  file_.reset();
  ::rename(path_.c_str(), (path_ + ".1").c_str());  // fails where there is none yet
  file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  written_ = 0;
  if (!file_.valid()) return false;
  const TraceBegin begin = begin_record();
  write_all(&begin, sizeof(begin));
  for (const TraceRules& rule : rules) write_all(&rule, sizeof(rule));
  return true;
}

void DecisionTrace::write_all(const void* bytes, size_t size) {
  const auto* at = static_cast<const std::byte*>(bytes);
  while (size != 0) {
    const ssize_t wrote = ::write(file_.get(), at, size);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      if (!complained_) log::error("control.trace: cannot write {}: {}", path_, std::strerror(errno));
      complained_ = true;
      return;
    }
    at += wrote;
    size -= static_cast<size_t>(wrote);
    written_ += static_cast<uint64_t>(wrote);
  }
}

}  // namespace cheshire
