// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Does KVM work here, and how well? That /dev/kvm exists does not say so. A child process (`cheshire-vmm
// --check`) runs a built-in guest: it counts down, which tells the price of an instruction, then sleeps with
// `hlt` until an interrupt through irqfd wakes it. A child, because a half-working KVM may hang whoever calls
// it.
#pragma once

#include <cstdint>
#include <string>

#include "handle.h"
#include "result.h"

namespace cheshire {

struct KvmFindings {
  uint64_t instruction_ps = 0;  // picoseconds
  bool halt_wakes = false;      // hlt, then an interrupt by irqfd, works
  [[nodiscard]] bool emulates() const;
  // Where KVM emulates, handling an interrupt costs the guest tens of instructions at 1 us each; where it
  // does not, hlt keeps user space out of it.
  [[nodiscard]] bool idle_by_port() const { return emulates() || !halt_wakes; }
};

// "kvm, emulating at 0.76 us an instruction, guests idle by port"
[[nodiscard]] std::string describe(const KvmFindings& findings);

// What `cheshire-vmm --check` prints, and back. kInvalidArgument: not such a line.
[[nodiscard]] std::string to_line(const KvmFindings& findings);
[[nodiscard]] Result<KvmFindings> parse_findings(const std::string& line);

[[nodiscard]] Result<std::string> find_vmm(const std::string& wanted);
[[nodiscard]] Result<UniqueFd> open_kvm();
[[nodiscard]] Result<UniqueFd> save_cpuid(int kvm);
// 3 s at most.
[[nodiscard]] Result<KvmFindings> check_kvm(const std::string& program);

}  // namespace cheshire
