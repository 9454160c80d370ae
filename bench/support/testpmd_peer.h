// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// dpdk-testpmd as the yardstick, run as a process beside the thing that is measured. And the small tools that
// benchmarks of several processes need.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cheshire {

// A child process with pipes to its input and from its output. Killed when it goes.
class BenchChild {
 public:
  explicit BenchChild(const std::vector<std::string>& arguments);
  BenchChild(const BenchChild&) = delete;
  BenchChild& operator=(const BenchChild&) = delete;
  ~BenchChild();

  // What it said so far.
  [[nodiscard]] const std::string& said() const { return said_; }
  // False: it ended, or that much time passed, before it said that, behind the first `from` bytes.
  bool wait_for(const std::string& word, double seconds, size_t from = 0);
  void say(const std::string& line);
  // How long its busiest thread but the main one was on a CPU so far: what others take of a shared machine is
  // not in it.
  [[nodiscard]] double busiest_worker_s() const;
  // Off the CPU, with all of its threads, until go_on().
  void stop();
  void go_on();
  // Until it ends. Its exit code; 255 when it was killed or takes longer.
  int wait_for_end(double seconds);

  // Waits at most that long for more of what it says. False: it says nothing more.
  bool read_some(double seconds);

 private:
  int pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string said_;
};

struct TestpmdRun {
  std::vector<std::string> eal;      // beside those for a process of its own
  std::vector<std::string> options;  // behind "--"
  double seconds = 1;
};

// Cycles per packet of its forwarding thread, by its time on the CPU; nothing if it did not run, `why` says
// why.
[[nodiscard]] std::optional<double> testpmd_cycles_per_packet(const TestpmdRun& run, std::string& why);

// EAL arguments that every DPDK process of a benchmark gets: nothing on disk, no PCI, its own prefix.
[[nodiscard]] std::vector<std::string> bench_eal_arguments(const std::string& program,
                                                           const std::string& prefix);

}  // namespace cheshire
