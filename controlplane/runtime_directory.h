// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The directory of a running daemon, runtime_dir/NAME: its sockets lie there, and a lock that keeps a second
// daemon of the same name out. Main thread only.
#pragma once

#include <string>

#include "handle.h"
#include "result.h"

namespace cheshire {

// Makes the directory, of mode 0700, and locks it. The kernel drops the lock with the process, however it
// ends. kAlreadyInUse: a daemon of that name runs.
[[nodiscard]] Result<UniqueFd> lock_runtime_dir(const std::string& directory, const std::string& name);

// While the lock is still held. What anybody else put into the directory stays, and so does the directory
// then.
void remove_runtime_dir(const std::string& directory);

}  // namespace cheshire
