// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A child process that cannot outlive us and that leaves nothing behind.
//
// spawn() has the semantics of vfork: the child borrows our memory until it executes the program, so the
// cost does not depend on how much is mapped (hugepages!), and only the calling thread waits meanwhile.
// The child starts with default signal handlers, an empty signal mask, a process group of its own (a Ctrl-C
// at the daemon's terminal is not for it), no core dumps, and these descriptors, no others:
//   0  /dev/null    1, 2  pipes to out() and err()    3, 4, …  SpawnOrder::inherited, in that order
//
// The kernel kills the child when the *thread* that spawned it ends, however it ends (PR_SET_PDEATHSIG):
// spawn from a thread that lives as long as the child shall. It inherits that thread's CPU affinity too.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "handle.h"
#include "result.h"

namespace cheshire {

struct SpawnOrder {
  std::string program;                 // path, not looked up in PATH
  std::vector<std::string> arguments;  // the first is the name that the program sees as its own
  std::vector<int> inherited;          // stay the caller's; the child gets duplicates
};

struct ExitStatus {
  enum class Kind { kExited, kKilled, kUnknown };  // kUnknown: somebody else reaped our child
  Kind kind = Kind::kUnknown;
  int value = 0;  // exit code or signal number
};
// "exit status 1", "killed by signal 9"
[[nodiscard]] std::string to_string(const ExitStatus& status);

// Close-on-exec; the read ends do not block.
struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};
struct ChildPipes {
  Pipe out;
  Pipe err;
  static Result<ChildPipes> create();
};

class ChildProcess {
 public:
  static Result<ChildProcess> spawn(const SpawnOrder& order);
  // A child of ours that another process made (kvm/zygote.h), not yet waited for.
  static Result<ChildProcess> adopt(pid_t pid, ChildPipes pipes);

  ChildProcess(ChildProcess&&) noexcept = default;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Kills the child if it still runs, and waits for it.
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Readable once the child has ended; -1 after it was reaped.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  // What the child writes to its standard output and standard error. Non-blocking.
  [[nodiscard]] int out() const { return out_.get(); }
  [[nodiscard]] int err() const { return err_.get(); }

  void kill();  // SIGKILL; does nothing if it has ended already
  // The status if the child has ended; it is gone then, with its descriptors and no zombie left.
  [[nodiscard]] std::optional<ExitStatus> reap();

 private:
  ChildProcess(pid_t pid, UniqueFd pidfd, UniqueFd out, UniqueFd err)
      : pid_(pid), pidfd_(std::move(pidfd)), out_(std::move(out)), err_(std::move(err)) {}
  std::optional<ExitStatus> wait(int options);

  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd out_;
  UniqueFd err_;
};

}  // namespace cheshire
