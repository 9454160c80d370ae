// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/bare_vm_peer.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <ctime>

#include "bench/bare_vm.h"
#include "units.h"

namespace cheshire::bench {
namespace {

constexpr timeval kAnswerMax{.tv_sec = 5, .tv_usec = 0};
constexpr uint64_t kFirstSteps = 2;
constexpr uint64_t kSettleNs =
    3 * kNsPerMs;  // as after a preparation of the drivers' VMs: all is asleep by then

uint64_t ns_of(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_usec) * kNsPerUs;
}

uint64_t own_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

Result<void> BareVmPeer::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error{ErrorCode::kUnavailable, std::string("socketpair: ") + std::strerror(errno)};
  }
  socket_ = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerMax, sizeof(kAnswerMax));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kBareVmSocket);
  std::string name = program_;
  std::array<char*, 2> arguments = {name.data(), nullptr};
  std::array<char*, 1> environment = {nullptr};
  const int error =
      ::posix_spawn(&pid_, program_.c_str(), &actions, nullptr, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return {};
  pid_ = -1;
  return Error{ErrorCode::kUnavailable, program_ + ": " + std::strerror(error)};
}

Result<BareVmPeer::Sample> BareVmPeer::order(uint64_t steps, uint64_t began_ns) {
  const BareVmOrder order{.guest_steps = steps};
  BareVmAnswer answer;
  const bool sent = ::send(socket_.get(), &order, sizeof(order), MSG_NOSIGNAL) == sizeof(order);
  if (!sent || ::recv(socket_.get(), &answer, sizeof(answer), 0) != sizeof(answer)) {
    return Error{ErrorCode::kUnavailable, "bare_vm does not answer"};
  }
  const uint64_t total_ns = monotonic_ns() - began_ns;
  answer.failed[sizeof(answer.failed) - 1] = 0;
  if (answer.failed[0] != 0) return Error{ErrorCode::kUnavailable, std::string("bare_vm: ") + answer.failed};
  return Sample{.total_ns = total_ns, .host_ns = total_ns - answer.in_kvm_run_ns};
}

Result<BareVmPeer::Sample> BareVmPeer::cold(uint64_t steps) {
  static_cast<void>(end());
  const uint64_t cpu_before_ns = own_cpu_ns();
  const uint64_t began_ns = monotonic_ns();
  if (Result<void> started = start(); !started) return started.error();
  auto sample = order(steps, began_ns);
  const uint64_t theirs_ns = end();
  if (!sample) return sample;
  Sample whole = sample.value();
  whole.cpu_ns = theirs_ns + own_cpu_ns() - cpu_before_ns;
  return whole;
}

Result<BareVmPeer::Sample> BareVmPeer::ready(uint64_t steps) {
  if (pid_ < 0) {
    if (Result<void> started = start(); !started) return started.error();
    if (auto first = order(kFirstSteps, monotonic_ns()); !first) return first;
  }
  const timespec settle{.tv_sec = 0, .tv_nsec = static_cast<long>(kSettleNs)};
  ::nanosleep(&settle, nullptr);
  return order(steps, monotonic_ns());
}

uint64_t BareVmPeer::end() {
  socket_ = UniqueFd();  // the end of its orders
  if (pid_ < 0) return 0;
  rusage used{};
  ::wait4(pid_, nullptr, 0, &used);
  pid_ = -1;
  return ns_of(used.ru_utime) + ns_of(used.ru_stime);
}

}  // namespace cheshire::bench
