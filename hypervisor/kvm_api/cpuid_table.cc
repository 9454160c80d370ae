// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm_api/cpuid_table.h"

namespace cheshire {

Result<std::vector<kvm_cpuid_entry2>> supported_cpuid(int kvm) {
  CpuidTable table;
  table.count = kCpuidEntriesMax;
  if (kvm_call(kvm, KVM_GET_SUPPORTED_CPUID, &table) != 0) return kvm_error("KVM_GET_SUPPORTED_CPUID");
  return std::vector(table.entries.begin(), table.entries.begin() + table.count);
}

}  // namespace cheshire
