// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The zygote: a VMM that has begun to live, has no VM, and forks one whenever the driver asks. What every
// program pays at its start is paid once: on the development machine exec and the C library's start take 0.4
// ms, half of it 43 CPUID instructions, and a fork 0.1.
//
//   driver ── socket ──► zygote ── clone(CLONE_PARENT) ──► VMM: the driver's child, not the zygote's
//
// So the driver waits for the VMM, and the kernel kills it with the driver's thread, as if the driver had
// spawned it. A VMM inherits nothing of the zygote but the open /dev/kvm and the CPUID table: the zygote has
// seen no guest and no secret. What VMMs share is the layout of their address space; docs/machine_model.md
// says what follows from that.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cheshire {

// Serves the socket kVmmControlFd until the driver closes it: nullopt then. Returns in each new VMM, with its
// arguments, descriptors in place (zygote_message.h). `own_arguments` is main()'s argv: a VMM puts its name
// there.
[[nodiscard]] std::optional<std::vector<std::string>> serve_as_zygote(std::span<char*> own_arguments);

}  // namespace cheshire
