// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a VMM may still ask of the kernel once its VM stands. The process shares its address space with a
// hostile guest's device: should the guest ever get the better of it, there is no file to open, no program
// to execute, no socket but to the data plane's kind, and no page that is both written and run.
//
// A filter by system call (seccomp), with arguments where they matter: ioctl by request, socket by family,
// mmap by protection. What is not on the list kills the process (SIGSYS), which the driver reports as the
// instance's end. Pure tables; measured cost: see SPECIFICATION.md.
#pragma once

#include <linux/filter.h>

#include <span>

#include "result.h"

namespace cheshire {

// The filter as the kernel gets it.
[[nodiscard]] std::span<const sock_filter> sandbox_filter();

// Installs the filter for the rest of the process; nothing takes it back.
[[nodiscard]] Result<void> enter_sandbox();
// In builds with a sanitizer, whose runtime makes calls of its own, enter_sandbox() does nothing.
[[nodiscard]] bool sandbox_is_left_out();

}  // namespace cheshire
