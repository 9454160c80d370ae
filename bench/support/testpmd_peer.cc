// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/support/testpmd_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "check.h"

namespace cheshire {
namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

BenchChild::BenchChild(const std::vector<std::string>& arguments) {
  std::array<int, 2> to{};
  std::array<int, 2> from{};
  CHECK(::pipe2(to.data(), O_CLOEXEC) == 0 && ::pipe2(from.data(), O_CLOEXEC) == 0);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(to[0], STDIN_FILENO);
    ::dup2(from[1], STDOUT_FILENO);
    ::dup2(from[1], STDERR_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  to_ = to[1];
  from_ = from[0];
}

BenchChild::~BenchChild() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(to_);
  ::close(from_);
}

bool BenchChild::read_some(double seconds) {
  pollfd descriptor{.fd = from_, .events = POLLIN, .revents = 0};
  if (::poll(&descriptor, 1, static_cast<int>(std::max(seconds, 0.0) * 1000)) <= 0) return true;
  std::array<char, 4096> bytes;
  const ssize_t count = ::read(from_, bytes.data(), bytes.size());
  if (count <= 0) return false;
  said_.append(bytes.data(), static_cast<size_t>(count));
  return true;
}

bool BenchChild::wait_for(const std::string& word, double seconds, size_t from) {
  const double deadline_s = now_s() + seconds;
  while (said_.find(word, from) == std::string::npos) {
    if (now_s() >= deadline_s || !read_some(deadline_s - now_s())) return false;
  }
  return true;
}

void BenchChild::say(const std::string& line) {
  const std::string bytes = line + "\n";
  static_cast<void>(::write(to_, bytes.data(), bytes.size()) < 0);
}

double BenchChild::busiest_worker_s() const {
  double most_s = 0;
  std::error_code ignored;
  const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
    if (task.path().filename() == std::to_string(pid_)) continue;
    double ran_ns = 0;
    std::ifstream(task.path() / "schedstat") >> ran_ns;
    most_s = std::max(most_s, ran_ns * 1e-9);
  }
  return most_s;
}

void BenchChild::stop() {
  ::kill(pid_, SIGSTOP);
}

void BenchChild::go_on() {
  ::kill(pid_, SIGCONT);
}

int BenchChild::wait_for_end(double seconds) {
  const double deadline_s = now_s() + seconds;
  while (now_s() < deadline_s && read_some(deadline_s - now_s())) {
  }
  int status = 0;
  if (now_s() >= deadline_s) ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

std::vector<std::string> bench_eal_arguments(const std::string& program, const std::string& prefix) {
  return {
      program,          "--in-memory",       "--no-pci",
      "--no-telemetry", "--log-level=error", "--file-prefix=" + prefix + "-" + std::to_string(::getpid())};
}

std::optional<double> testpmd_cycles_per_packet(const TestpmdRun& run, std::string& why) {
  std::vector<std::string> arguments = bench_eal_arguments("dpdk-testpmd", "testpmd");
  arguments.insert(arguments.end(), run.eal.begin(), run.eal.end());
  arguments.insert(arguments.end(), {"--", "--auto-start", "--record-core-cycles", "--no-flush-rx"});
  arguments.insert(arguments.end(), run.options.begin(), run.options.end());
  BenchChild child(arguments);
  // Its words lie in its buffer until it ends, so they cannot say that it has begun.
  constexpr double kLongestS = 60;
  for (const double begin_s = now_s(); child.busiest_worker_s() < run.seconds; child.read_some(0.02)) {
    if (now_s() - begin_s < kLongestS) continue;
    why = "testpmd did not start: " + child.said();
    return {};
  }
  const double busy_s = child.busiest_worker_s();
  child.say("");
  child.wait_for_end(30);
  // "CPU cycles/packet=29.60 (total cycles=… / total io packets=…) at 2600 MHz Clock"
  const std::string& said = child.said();
  const size_t packets_at = said.rfind(" packets=");
  const size_t clock_at = said.rfind(") at ");
  if (packets_at == std::string::npos || clock_at == std::string::npos) {
    why = "testpmd told no cycles per packet";
    return {};
  }
  const double packets = std::strtod(said.c_str() + packets_at + 9, nullptr);
  const double clock_mhz = std::strtod(said.c_str() + clock_at + 5, nullptr);
  return busy_s * clock_mhz * 1e6 / packets;
}

}  // namespace cheshire
