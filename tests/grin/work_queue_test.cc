// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/work_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace cheshire::grin {
namespace {

class WorkQueueTest : public testing::Test {
 protected:
  void start(uint32_t worker_count, uint32_t service_us) {
    queue_.init({.worker_count = worker_count, .service_us = service_us, .links = links_, .jobs = jobs_});
  }
  std::vector<Index> finished(uint64_t now_us) {
    std::vector<Index> owners;
    for (Index id = queue_.pop_finished(now_us); id != kNoIndex; id = queue_.pop_finished(now_us)) {
      owners.push_back(id);
    }
    return owners;
  }

  WorkQueue queue_;
  std::vector<IndexLink> links_ = std::vector<IndexLink>(100);
  std::vector<WorkQueue::Job> jobs_ = std::vector<WorkQueue::Job>(8);
};

using Owners = std::vector<Index>;

TEST_F(WorkQueueTest, an_empty_queue_has_no_deadline) {
  start(2, 100);
  EXPECT_EQ(queue_.next_deadline_us(), ~uint64_t{0});
  EXPECT_EQ(finished(1000), Owners{});
}

TEST_F(WorkQueueTest, a_job_takes_its_service_time) {
  start(2, 100);
  queue_.submit(7, 1000);
  EXPECT_EQ(queue_.next_deadline_us(), 1100U);
  EXPECT_EQ(finished(1099), Owners{});
  EXPECT_EQ(finished(1100), Owners{7});
}

TEST_F(WorkQueueTest, jobs_above_the_worker_count_wait_in_order) {
  start(2, 100);
  for (Index id = 1; id <= 5; ++id) queue_.submit(id, 1000);
  EXPECT_EQ(queue_.running_count(), 2U);
  EXPECT_EQ(queue_.waiting_count(), 3U);
  EXPECT_EQ(finished(1100), (Owners{1, 2}));
  EXPECT_EQ(finished(1200), (Owners{3, 4}));
  EXPECT_EQ(finished(1300), (Owners{5}));
}

TEST_F(WorkQueueTest, looking_late_loses_no_throughput) {
  start(1, 100);
  for (Index id = 1; id <= 4; ++id) queue_.submit(id, 0);
  EXPECT_EQ(finished(350), (Owners{1, 2, 3}));
  EXPECT_EQ(queue_.next_deadline_us(), 400U);
}

TEST_F(WorkQueueTest, a_cancelled_waiting_job_vanishes) {
  start(1, 100);
  for (Index id = 1; id <= 3; ++id) queue_.submit(id, 0);
  queue_.cancel(2);
  EXPECT_EQ(queue_.waiting_count(), 1U);
  EXPECT_EQ(finished(200), (Owners{1, 3}));
}

TEST_F(WorkQueueTest, a_cancelled_running_job_keeps_its_worker_busy) {
  start(1, 100);
  queue_.submit(1, 0);
  queue_.submit(2, 0);
  queue_.cancel(1);
  EXPECT_EQ(queue_.running_count(), 1U);
  EXPECT_EQ(finished(100), Owners{});
  EXPECT_EQ(finished(200), Owners{2});
}

TEST_F(WorkQueueTest, an_owner_may_come_back) {
  start(1, 100);
  uint64_t now_us = 0;
  for (int round = 0; round < 50; ++round) {
    queue_.submit(9, now_us);
    now_us += 100;
    ASSERT_EQ(finished(now_us), Owners{9});
  }
}

}  // namespace
}  // namespace cheshire::grin
