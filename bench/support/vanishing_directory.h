// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A temporary directory of a benchmark. It goes with everything in it, also when the process is killed: a process
// of its own waits for that. To be made before the first thread, as it forks.
#pragma once

#include <string>

#include "tests/support/temporary_directory.h"

namespace cheshire {

class VanishingDirectory {
 public:
  VanishingDirectory();
  VanishingDirectory(const VanishingDirectory&) = delete;
  VanishingDirectory& operator=(const VanishingDirectory&) = delete;
  ~VanishingDirectory();

  [[nodiscard]] std::string path(const std::string& name = "") const { return directory_.path(name); }

 private:
  const TemporaryDirectory directory_;
  int keeper_ = -1;  // pid of the process that waits
  int life_ = -1;    // the end of its pipe that is ours: closed when we end, however we end
};

}  // namespace cheshire
