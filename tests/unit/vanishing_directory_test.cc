// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Benchmarks leave nothing behind, also when they are killed.
#include "bench/support/vanishing_directory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace cheshire {
namespace {

TEST(VanishingDirectory, GoesWithWhatIsInIt) {
  std::string path;
  {
    const VanishingDirectory directory;
    path = directory.path();
    std::ofstream(directory.path("file")) << "words";
    EXPECT_TRUE(std::filesystem::exists(path + "/file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(VanishingDirectory, GoesWhenItsProcessIsKilled) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const VanishingDirectory directory;
    std::ofstream(directory.path("file")) << "words";
    const std::string path = directory.path();
    if (::write(pipe[1], path.data(), path.size()) < 0) ::_exit(1);
    for (;;) ::pause();
  }
  std::array<char, 256> bytes{};
  const ssize_t count = ::read(pipe[0], bytes.data(), bytes.size());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
  ASSERT_GT(count, 0);
  const std::string path(bytes.data(), static_cast<size_t>(count));
  constexpr int kTries = 1000;  // of 10 ms
  for (int tries = 0; tries < kTries && std::filesystem::exists(path); ++tries) ::usleep(10'000);
  EXPECT_FALSE(std::filesystem::exists(path)) << path;
}

}  // namespace
}  // namespace cheshire
