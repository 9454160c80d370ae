// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/process/child_process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

// clone(2) of the C library under its other name: the thread sanitizer wraps clone() as if it were fork(),
// and dies of a child that shares our memory.
extern "C" int unwrapped_clone(int (*run)(void*), void* stack_end, int flags, void* argument, ...) noexcept
    __asm__("__clone");

namespace cheshire {
namespace {

constexpr size_t kChildStackBytes = size_t{64} * 1024;
constexpr int kSignalsMax = 64;
constexpr int kExecFailed = 127;

// What the child needs, made ready before it exists: it shares our memory and must not allocate.
struct ChildSetup {
  const char* program;
  char* const* arguments;
  int* descriptors;  // become 0, 1, 2, …; overwritten
  unsigned descriptor_count;
  pid_t parent;
  // Written by the child, read by the parent after the vfork: which step failed, and why.
  const char* failed_step = nullptr;
  int error = 0;
};

[[noreturn]] void give_up(ChildSetup& setup, const char* step) {
  setup.failed_step = step;
  setup.error = errno;
  _exit(kExecFailed);
}

// Raw system calls: a sanitizer's wrapper would note the change in the memory that we share.
void reset_signals() {
  struct {
    void* handler = nullptr;  // SIG_DFL
    unsigned long flags = 0;
    void* restorer = nullptr;
    uint64_t mask = 0;
  } const default_action;
  for (int signal = 1; signal <= kSignalsMax; ++signal) {
    syscall(SYS_rt_sigaction, signal, &default_action, nullptr, sizeof default_action.mask);
  }
  const uint64_t nothing_blocked = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &nothing_blocked, nullptr, sizeof nothing_blocked);
}

// Moves each descriptor out of the way of the numbers that are wanted, then all down to them.
void arrange_descriptors(ChildSetup& setup) {
  const unsigned count = setup.descriptor_count;
  for (unsigned i = 0; i < count; ++i) {
    const long high = syscall(SYS_fcntl, setup.descriptors[i], F_DUPFD, count);
    if (high < 0) give_up(setup, "fcntl");
    setup.descriptors[i] = static_cast<int>(high);
  }
  for (unsigned i = 0; i < count; ++i) {
    if (syscall(SYS_dup3, setup.descriptors[i], i, 0) < 0) give_up(setup, "dup3");
  }
  if (syscall(SYS_close_range, count, ~0U, 0) < 0) give_up(setup, "close_range");
}

int run_child(void* argument) {
  ChildSetup& setup = *static_cast<ChildSetup*>(argument);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) give_up(setup, "prctl");
  // Had the parent been killed before the line above, nobody would ever tell us.
  if (syscall(SYS_getppid) != setup.parent) _exit(kExecFailed);
  setpgid(0, 0);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  arrange_descriptors(setup);
  reset_signals();
  execve(setup.program, setup.arguments, environ);
  give_up(setup, "execve");
}

Error system_error(const char* what, int error) {
  const bool may_pass = error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
  return {may_pass ? ErrorCode::kUnavailable : ErrorCode::kInternal,
          std::string(what) + ": " + std::strerror(error)};
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return system_error("pipe2", errno);
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) return system_error("fcntl", errno);
  return pipe;
}

// Signals stay blocked meanwhile: a handler of ours must not run in the child on memory that is shared.
pid_t clone_with_vfork_semantics(ChildSetup& setup, int& pidfd) {
  const auto stack = std::make_unique<std::array<std::byte, kChildStackBytes>>();
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = unwrapped_clone(run_child, stack->data() + stack->size(),
                                    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &setup, &pidfd);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

}  // namespace

std::string to_string(const ExitStatus& status) {
  switch (status.kind) {
    case ExitStatus::Kind::kExited:
      return "exit status " + std::to_string(status.value);
    case ExitStatus::Kind::kKilled:
      return "killed by signal " + std::to_string(status.value) +
             (status.value == SIGSYS ? ", for a system call that it may not make" : "");
    case ExitStatus::Kind::kUnknown:
      break;
  }
  return "ended, nobody knows how";
}

Result<ChildPipes> ChildPipes::create() {
  Result<Pipe> out = make_pipe();
  if (!out) return out.error();
  Result<Pipe> err = make_pipe();
  if (!err) return err.error();
  return ChildPipes{std::move(out).value(), std::move(err).value()};
}

Result<ChildProcess> ChildProcess::adopt(pid_t pid, ChildPipes pipes) {
  // A child that nobody has waited for keeps its pid, dead or alive.
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) return system_error("pidfd_open", errno);
  return ChildProcess(pid, std::move(pidfd), std::move(pipes.out.read_end), std::move(pipes.err.read_end));
}

Result<ChildProcess> ChildProcess::spawn(const SpawnOrder& order) {
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.valid()) return system_error("/dev/null", errno);
  Result<ChildPipes> made = ChildPipes::create();
  if (!made) return made.error();
  ChildPipes pipes = std::move(made).value();

  std::vector<int> descriptors{null.get(), pipes.out.write_end.get(), pipes.err.write_end.get()};
  descriptors.insert(descriptors.end(), order.inherited.begin(), order.inherited.end());
  std::vector<std::string> arguments = order.arguments;
  std::vector<char*> argument_pointers;
  for (std::string& argument : arguments) argument_pointers.push_back(argument.data());
  argument_pointers.push_back(nullptr);

  ChildSetup setup{.program = order.program.c_str(),
                   .arguments = argument_pointers.data(),
                   .descriptors = descriptors.data(),
                   .descriptor_count = static_cast<unsigned>(descriptors.size()),
                   .parent = getpid()};
  int pidfd = -1;
  const pid_t pid = clone_with_vfork_semantics(setup, pidfd);
  if (pid < 0) return system_error("clone", errno);
  ChildProcess child(pid, UniqueFd(pidfd), std::move(pipes.out.read_end), std::move(pipes.err.read_end));
  if (setup.failed_step != nullptr) {
    // The destructor reaps the child, which has ended on its own.
    return system_error((order.program + ": " + setup.failed_step).c_str(), setup.error);
  }
  return child;
}

ChildProcess::~ChildProcess() {
  if (!pidfd_.valid()) return;
  kill();
  (void)wait(0);
}

void ChildProcess::kill() {
  if (pidfd_.valid()) syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

std::optional<ExitStatus> ChildProcess::reap() {
  return wait(WNOHANG);
}

std::optional<ExitStatus> ChildProcess::wait(int options) {
  CHECK(pidfd_.valid());
  siginfo_t info{};
  int result = 0;
  do {
    result = waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | options);
  } while (result < 0 && errno == EINTR);
  if (result == 0 && info.si_pid == 0) return std::nullopt;  // WNOHANG: it still runs
  pidfd_.reset();
  out_.reset();
  err_.reset();
  if (result < 0) return ExitStatus{};
  const bool exited = info.si_code == CLD_EXITED;
  return ExitStatus{exited ? ExitStatus::Kind::kExited : ExitStatus::Kind::kKilled, info.si_status};
}

}  // namespace cheshire
