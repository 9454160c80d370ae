// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "dataplane/port/eal.h"

namespace cheshire::test {
namespace {

Config polls_on(std::vector<uint32_t> cpus, uint64_t idle_sleep_ns = 0) {
  Config config;
  config.name = "t";
  config.eal.lcores = std::move(cpus);
  config.worker.idle_sleep_ns = idle_sleep_ns;
  return config;
}

std::vector<uint32_t> all_cpus() {
  std::vector<uint32_t> cpus(static_cast<size_t>(::sysconf(_SC_NPROCESSORS_ONLN)));
  std::iota(cpus.begin(), cpus.end(), 0U);
  return cpus;
}

TEST(CpusBesideWorkers, leave_out_those_of_workers_that_never_nap) {
  std::vector<uint32_t> others = all_cpus();
  if (others.size() < 2) GTEST_SKIP() << "one CPU";
  others.erase(others.begin() + 1);
  EXPECT_EQ(cpus_beside_workers(polls_on({1})), others);
}

TEST(CpusBesideWorkers, are_all_where_workers_nap_or_have_them_all) {
  EXPECT_EQ(cpus_beside_workers(polls_on({0}, kNsPerMs)), all_cpus());
  EXPECT_EQ(cpus_beside_workers(polls_on(all_cpus())), all_cpus());
}

TEST(EalArguments, give_each_worker_an_lcore_on_its_cpu_and_the_main_thread_the_others) {
  std::string beside;
  for (const uint32_t cpu : cpus_beside_workers(polls_on({0, 0}))) {
    beside += (beside.empty() ? "" : ",") + std::to_string(cpu);
  }
  const std::vector<std::string> arguments = eal_arguments(polls_on({0, 0}));
  const std::string wanted = "--lcores=0@(" + beside + "),1@0,2@0";
  EXPECT_NE(std::find(arguments.begin(), arguments.end(), wanted), arguments.end()) << wanted;
}

}  // namespace
}  // namespace cheshire::test
