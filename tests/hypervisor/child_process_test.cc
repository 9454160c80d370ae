// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>

#include "hypervisor/process/child_process.h"

namespace cheshire {
namespace {

constexpr int kDeadlineMs = 10'000;

Result<ChildProcess> spawn_shell(const std::string& script, std::vector<int> inherited = {}) {
  return ChildProcess::spawn(
      {.program = "/bin/sh", .arguments = {"sh", "-c", script}, .inherited = std::move(inherited)});
}

bool readable(int fd) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&watched, 1, kDeadlineMs) == 1;
}

std::string read_to_the_end(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  while (readable(fd)) {
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(size));
  }
  return text;
}

struct ExitCase {
  const char* script;
  const char* expected;
};

TEST(ChildProcess, TellsHowItEnded) {
  for (const ExitCase& c : {ExitCase{"exit 0", "exit status 0"}, ExitCase{"exit 7", "exit status 7"},
                            ExitCase{"kill -9 $$", "killed by signal 9"}}) {
    Result<ChildProcess> child = spawn_shell(c.script);
    ASSERT_TRUE(child) << child.error().what;
    ASSERT_TRUE(readable(child.value().pidfd()));
    const auto status = child.value().reap();
    ASSERT_TRUE(status);
    EXPECT_EQ(to_string(*status), c.expected);
    EXPECT_EQ(child.value().pidfd(), -1);
    EXPECT_EQ(child.value().out(), -1);
  }
}

TEST(ChildProcess, SaysWhichProgramCouldNotBeRun) {
  const auto child = ChildProcess::spawn({.program = "/nonexistent", .arguments = {"x"}, .inherited = {}});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().what, "/nonexistent: execve: No such file or directory");
}

TEST(ChildProcess, HandsOverTheDescriptorsItWasToldAndNoOthers) {
  const UniqueFd leak(open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  Result<ChildProcess> child = spawn_shell(
      "echo inherited >&3; cat; for n in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$n ] && echo $n; done; "
      "echo words >&2",
      {write_end.get()});
  ASSERT_TRUE(child) << child.error().what;
  write_end.reset();
  EXPECT_EQ(read_to_the_end(read_end.get()), "inherited\n");
  EXPECT_EQ(read_to_the_end(child.value().out()), "0\n1\n2\n3\n");
  EXPECT_EQ(read_to_the_end(child.value().err()), "words\n");
}

TEST(ChildProcess, StartsWithDefaultSignalsAndAGroupOfItsOwn) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto previous = signal(SIGUSR1, SIG_IGN);
  Result<ChildProcess> child = spawn_shell("grep -E '^Sig(Blk|Ign)' /proc/self/status; kill -USR1 $$");
  signal(SIGUSR1, previous);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(child) << child.error().what;
  EXPECT_EQ(getpgid(child.value().pid()), child.value().pid());
  EXPECT_EQ(read_to_the_end(child.value().out()), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  ASSERT_TRUE(readable(child.value().pidfd()));
  EXPECT_EQ(to_string(child.value().reap().value()), "killed by signal 10");
}

TEST(ChildProcess, IsKilledAndReapedWhenItsOwnerLetsGo) {
  pid_t pid = 0;
  {
    Result<ChildProcess> child = spawn_shell("sleep 1000");
    ASSERT_TRUE(child) << child.error().what;
    pid = child.value().pid();
    EXPECT_FALSE(child.value().reap());
  }
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

}  // namespace
}  // namespace cheshire
