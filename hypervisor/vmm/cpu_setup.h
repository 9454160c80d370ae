// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The state in which a vCPU enters a guest, as pure tables: nothing here makes a system call.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "hypervisor/kvm_api/kvm_api.h"
#include "hypervisor/vmm/elf_image.h"

namespace cheshire {

// null, 64-bit code (0x08), data (0x10), task state (0x18); Intel SDM volume 3, 3.4.5.
inline constexpr std::array<uint64_t, 4> kBootDescriptors = {0, 0x00af'9b00'0000'ffff, 0x00cf'9300'0000'ffff,
                                                             0x008f'8b00'0000'ffff};

// `reset` is what KVM gives a fresh vCPU: what the tables do not name (the local APIC's base) stays as it
// was.
[[nodiscard]] kvm_sregs system_registers(EntryKind kind, const kvm_sregs& reset);
// `command_line_bytes`: told to guests of our own, which then need not count (unikernel/abi.h).
[[nodiscard]] kvm_regs entry_registers(EntryKind kind, GuestAddress entry, uint64_t command_line_bytes);

// Identity map in pages of 2 MiB: entries for `size_bytes` from 0 on. The tables follow each other from
// kPageMapAddress on: page map, directory pointers, directories.
struct IdentityMap {
  uint64_t page_map_entry = 0;
  uint64_t directories = 0;
  uint64_t large_pages = 0;
  [[nodiscard]] uint64_t directory_pointer(uint64_t index) const;
  [[nodiscard]] uint64_t directory_entry(uint64_t index) const;
};
[[nodiscard]] IdentityMap identity_map(uint64_t size_bytes);

// What the guest's CPUID instruction says: the host's table as KVM gave it, as one CPU with local APIC 0,
// marked as a guest, with the TSC's frequency in leaf 0x40000010. Without that leaf if tsc_khz is 0.
[[nodiscard]] std::vector<kvm_cpuid_entry2> guest_cpuid(std::span<const kvm_cpuid_entry2> supported,
                                                        uint32_t tsc_khz);

}  // namespace cheshire
