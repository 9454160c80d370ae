// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/support/vanishing_directory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "check.h"

namespace cheshire {
namespace {

// Processes that die at this moment may still write: some more tries.
void remove_all(const std::string& path) {
  constexpr int kTries = 20;
  std::error_code error;
  for (int tries = 0; tries < kTries; ++tries) {
    std::filesystem::remove_all(path, error);
    if (!std::filesystem::exists(path, error)) return;
    ::usleep(100'000);
  }
}

}  // namespace

VanishingDirectory::VanishingDirectory() {
  std::array<int, 2> life{};
  CHECK(::pipe2(life.data(), O_CLOEXEC) == 0);
  keeper_ = ::fork();
  CHECK(keeper_ >= 0);
  if (keeper_ == 0) {
    ::setsid();  // a Ctrl-C is not for it
    // Nothing else of its parent's: not its pipes, and not the output that somebody may wait for the end of.
    const auto only = static_cast<unsigned>(life[0]);
    if (only > 0) ::close_range(0, only - 1, 0);
    ::close_range(only + 1, ~0U, 0);
    char nothing = 0;
    while (::read(life[0], &nothing, 1) > 0) {
    }
    remove_all(directory_.path());
    ::_exit(0);
  }
  ::close(life[0]);
  life_ = life[1];
}

VanishingDirectory::~VanishingDirectory() {
  ::kill(keeper_, SIGKILL);
  ::waitpid(keeper_, nullptr, 0);
  ::close(life_);
  remove_all(directory_.path());
}

}  // namespace cheshire
