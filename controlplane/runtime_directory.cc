// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/runtime_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace cheshire {
namespace {

std::string lock_path(const std::string& directory) {
  return directory + "/lock";
}

}  // namespace

Result<UniqueFd> lock_runtime_dir(const std::string& directory, const std::string& name) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error || ::chmod(directory.c_str(), 0700) != 0) {
    return Error{ErrorCode::kUnavailable, "cannot make " + directory + ": " +
                                              (error ? error.message() : std::strerror(errno)) +
                                              "; run as root or set runtime_dir"};
  }
  const std::string path = lock_path(directory);
  for (;;) {
    UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.valid()) {
      return Error{ErrorCode::kUnavailable, "cannot open " + path + ": " + std::strerror(errno)};
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
      // The one before us may have removed the file between our open and our lock: then it locks nobody out.
      struct stat status {};
      if (::fstat(lock.get(), &status) == 0 && status.st_nlink != 0) return lock;
      continue;
    }
    return Error{ErrorCode::kAlreadyInUse, "a daemon named '" + name + "' runs already (it holds " + path +
                                               "); stop it, or give this one another name"};
  }
}

void remove_runtime_dir(const std::string& directory) {
  ::unlink(lock_path(directory).c_str());
  ::rmdir(directory.c_str());
}

}  // namespace cheshire
