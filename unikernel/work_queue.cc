// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/work_queue.h"

namespace cheshire::grin {

WorkQueue::Job& WorkQueue::job_at(size_t position) {
  const size_t slot = running_first_ + position;
  return options_.jobs[slot < options_.worker_count ? slot : slot - options_.worker_count];
}

void WorkQueue::start(Index owner, uint64_t from_us) {
  job_at(running_count_) = {from_us + options_.service_us, owner};
  ++running_count_;
}

void WorkQueue::submit(Index owner, uint64_t now_us) {
  if (running_count_ < options_.worker_count) {
    start(owner, now_us);
    return;
  }
  waiting_.push_back(options_.links, owner);
  ++waiting_count_;
}

void WorkQueue::cancel(Index owner) {
  for (size_t i = 0; i < running_count_; ++i) {
    Job& job = job_at(i);
    if (job.owner == owner) {
      job.owner = kNoIndex;
      return;
    }
  }
  waiting_.remove(options_.links, owner);
  --waiting_count_;
}

Index WorkQueue::pop_finished(uint64_t now_us) {
  while (running_count_ != 0 && options_.jobs[running_first_].deadline_us <= now_us) {
    const Job done = options_.jobs[running_first_];
    running_first_ = running_first_ + 1 == options_.worker_count ? 0 : running_first_ + 1;
    --running_count_;
    if (!waiting_.empty()) {
      --waiting_count_;
      start(waiting_.pop_front(options_.links), done.deadline_us);
    }
    if (done.owner != kNoIndex) return done.owner;
  }
  return kNoIndex;
}

uint64_t WorkQueue::next_deadline_us() const {
  return running_count_ == 0 ? ~uint64_t{0} : options_.jobs[running_first_].deadline_us;
}

}  // namespace cheshire::grin
