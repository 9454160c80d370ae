// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#pragma once

#include "hypervisor/kvm/kvm_check.h"
#include "result.h"

namespace cheshire {

// Runs the built-in guest on the calling thread. May hang where KVM is broken: kvm_check.h bounds it from
// outside.
[[nodiscard]] Result<KvmFindings> check_kvm_here();

}  // namespace cheshire
