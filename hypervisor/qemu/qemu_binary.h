// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Finds QEMU and sees that it runs at all.
#pragma once

#include <string>

#include "result.h"

namespace cheshire {

struct QemuBinary {
  std::string path;
  std::string version;  // "7.2.22"
};

// `name` is a path, or a name looked up in PATH. Runs it once with --version (some 15 ms, 5 s at most), on
// the calling thread. An error's `what` has the remedy.
Result<QemuBinary> find_qemu(const std::string& name);

}  // namespace cheshire
