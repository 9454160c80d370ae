// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The CPUID leaves that KVM offers, and the form in which the kernel takes and gives them. The driver asks
// once for all its VMs, a VMM by hand for itself. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hypervisor/kvm_api/kvm_api.h"
#include "result.h"

namespace cheshire {

inline constexpr size_t kCpuidEntriesMax = 256;

// kvm_cpuid2 with its entries in one piece, as the kernel wants them. C++ has no words for an array without
// a length inside of another struct.
struct CpuidTable {
  uint32_t count = 0;
  uint32_t padding = 0;
  std::array<kvm_cpuid_entry2, kCpuidEntriesMax> entries;
};
static_assert(offsetof(CpuidTable, entries) == sizeof(kvm_cpuid2));

// KVM_GET_SUPPORTED_CPUID: 350 us on the development machine.
[[nodiscard]] Result<std::vector<kvm_cpuid_entry2>> supported_cpuid(int kvm);

}  // namespace cheshire
