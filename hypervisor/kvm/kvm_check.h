// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Does KVM work here, and how well? That /dev/kvm exists does not say so. A child process (`cheshire-vmm
// --check`) runs a built-in guest: it counts down, which tells the price of an instruction, then sleeps with
// `hlt` until an interrupt through irqfd wakes it. A child, because a half-working KVM may hang whoever calls
// it. For whoever creates the driver, on its thread; not for one that polls.
#pragma once

#include <string>

#include "handle.h"
#include "hypervisor/vmm_messages/kvm_findings.h"
#include "result.h"

namespace cheshire {

// Where cheshire-vmm is: `wanted`, or beside this program, or in PATH. kNotFound: nowhere.
[[nodiscard]] Result<std::string> find_vmm(const std::string& wanted);
// An open /dev/kvm that can do what a VMM needs.
[[nodiscard]] Result<UniqueFd> open_kvm();
// A sealed file with what KVM_GET_SUPPORTED_CPUID says, so that no VMM has to ask again.
[[nodiscard]] Result<UniqueFd> save_cpuid(int kvm);
// Runs the built-in guest of `program`, a cheshire-vmm, in a child; 3 s at most.
[[nodiscard]] Result<KvmFindings> check_kvm(const std::string& program);

}  // namespace cheshire
