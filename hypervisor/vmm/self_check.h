// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The VMM's half of the question whether KVM works here: a built-in guest, run in a process that may hang.
#pragma once

#include "hypervisor/vmm_messages/kvm_findings.h"
#include "result.h"

namespace cheshire {

// Runs the built-in guest on the calling thread. May hang where KVM is broken: the driver, which runs
// `cheshire-vmm --check`, bounds it from outside.
[[nodiscard]] Result<KvmFindings> check_kvm_here();

}  // namespace cheshire
