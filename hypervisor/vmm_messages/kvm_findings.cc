// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm_messages/kvm_findings.h"

#include <array>
#include <cstdio>

namespace cheshire {
namespace {

// VT-x and SVM run an instruction in less than a nanosecond; an emulator takes some hundred.
constexpr uint64_t kEmulatedPs = 50'000;

}  // namespace

bool KvmFindings::emulates() const {
  return instruction_ps > kEmulatedPs;
}

std::string describe(const KvmFindings& findings) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "kvm, %s at %.2f us an instruction, guests idle by %s",
                findings.emulates() ? "emulating" : "running natively",
                static_cast<double>(findings.instruction_ps) / 1e6, findings.idle_by_port() ? "port" : "hlt");
  return text.data();
}

std::string to_line(const KvmFindings& findings) {
  return "instruction_ps=" + std::to_string(findings.instruction_ps) +
         " halt_wakes=" + (findings.halt_wakes ? "1" : "0") + "\n";
}

Result<KvmFindings> parse_findings(const std::string& line) {
  unsigned long long instruction_ps = 0;
  unsigned halt_wakes = 0;
  if (std::sscanf(line.c_str(), "instruction_ps=%20llu halt_wakes=%1u", &instruction_ps, &halt_wakes) != 2) {
    return Error{ErrorCode::kInvalidArgument, "no findings: " + line};
  }
  return KvmFindings{instruction_ps, halt_wakes == 1};
}

}  // namespace cheshire
