// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The work model: a request takes service_us on one of worker_count servers, others wait in order of arrival.
// No CPU time is burnt; completions are moments on the clock.
//
// As every job takes equally long, jobs finish in the order in which they started: the running ones are a
// ring sorted by deadline, and only its front needs a look. A server that becomes free at time t starts the
// next job at t, however late we notice, so throughput is exactly worker_count / service_us under load.
//
// The caller drains pop_finished(now) before it calls submit(owner, now) with the same now.
// An owner has at most one job. A cancelled job that waits vanishes; one that runs keeps its server busy to
// the end, as an application that learns of a dead client only when it writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/index_list.h"

namespace cheshire::grin {

class WorkQueue {
 public:
  struct Job {
    uint64_t deadline_us;
    Index owner;  // kNoIndex: cancelled
  };
  struct Options {
    uint32_t worker_count;
    uint32_t service_us;
    std::span<IndexLink> links;  // indexed by owner, all zero
    std::span<Job> jobs;         // at least worker_count
  };
  void init(const Options& options) { options_ = options; }

  void submit(Index owner, uint64_t now_us);
  // The owner has a job.
  void cancel(Index owner);

  // The next owner whose job is done at now_us, or kNoIndex. Starts waiting jobs on the way.
  [[nodiscard]] Index pop_finished(uint64_t now_us);

  // When the next job ends; all ones if none runs.
  [[nodiscard]] uint64_t next_deadline_us() const;

  [[nodiscard]] size_t waiting_count() const { return waiting_count_; }
  [[nodiscard]] size_t running_count() const { return running_count_; }

 private:
  [[nodiscard]] Job& job_at(size_t position);
  void start(Index owner, uint64_t from_us);

  Options options_ = {};
  IndexList waiting_;
  size_t waiting_count_ = 0;
  size_t running_first_ = 0;  // in options_.jobs, a ring
  size_t running_count_ = 0;
};

}  // namespace cheshire::grin
