// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the check of KVM found, and the one line by which `cheshire-vmm --check` tells it to the driver that
// ran it (vmm/self_check.h measures, kvm/kvm_check.h asks). Plain values and pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>

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

}  // namespace cheshire
