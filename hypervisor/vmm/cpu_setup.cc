// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/cpu_setup.h"

#include <algorithm>

#include "hypervisor/vmm/machine.h"
#include "unikernel/abi.h"

namespace cheshire {
namespace {

constexpr uint64_t kCr0ProtectionEnable = uint64_t{1} << 0;
constexpr uint64_t kCr0ExtensionType = uint64_t{1} << 4;
constexpr uint64_t kCr0NumericError = uint64_t{1} << 5;
constexpr uint64_t kCr0WriteProtect = uint64_t{1} << 16;
constexpr uint64_t kCr0Paging = uint64_t{1} << 31;
constexpr uint64_t kCr4PhysicalAddressExtension = uint64_t{1} << 5;
constexpr uint64_t kEferLongModeEnable = uint64_t{1} << 8;
constexpr uint64_t kEferLongModeActive = uint64_t{1} << 10;
constexpr uint64_t kFlagsReserved = uint64_t{1} << 1;  // always set

constexpr uint64_t kPresent = 1;
constexpr uint64_t kWritable = 2;
constexpr uint64_t kLarge = 0x80;
constexpr uint64_t kLargePageBytes = uint64_t{2} << 20;
constexpr uint64_t kDirectoryEntries = 512;

// Accessed and, for the task state, busy: a CPU in which these segments were loaded shows them so.
kvm_segment flat_segment(uint16_t selector, uint8_t type) {
  return {.base = 0, .limit = 0xffff'ffff, .selector = selector, .type = type, .present = 1, .s = 1, .g = 1};
}
constexpr uint8_t kCodeType = 0xb;
constexpr uint8_t kDataType = 0x3;
kvm_segment task_state() {
  return {.base = 0, .limit = 0x67, .selector = 0x18, .type = 0xb, .present = 1};
}

uint64_t table_address(uint64_t index) {
  return kPageMapAddress.value + index * kGuestPageBytes;
}

constexpr uint32_t kFeatureLeaf = 1;
constexpr uint32_t kTopologyLeaf = 0xb;
constexpr uint32_t kTopologyLeaf2 = 0x1f;
constexpr uint32_t kHypervisorLeaf = 0x4000'0000;
constexpr uint32_t kHypervisorBit = 1U << 31;
constexpr uint32_t kApicBusKhz = 1'000'000;  // KVM runs the local APIC's timer at 1 ns a tick

void adapt(kvm_cpuid_entry2& entry, bool with_timing) {
  switch (entry.function) {
    case kFeatureLeaf:
      entry.ebx = (entry.ebx & 0x0000'ffffU) | 1U << 16U;  // APIC id 0, one CPU
      entry.ecx |= kHypervisorBit;
      break;
    case kTopologyLeaf:
    case kTopologyLeaf2:
      entry.edx = 0;  // x2APIC id
      break;
    case kHypervisorLeaf:
      if (with_timing) entry.eax = std::max(entry.eax, abi::kTimingCpuidLeaf);
      break;
    default:
      break;
  }
}

}  // namespace

kvm_sregs system_registers(EntryKind kind, const kvm_sregs& reset) {
  kvm_sregs sregs = reset;
  const bool long_mode = kind != EntryKind::kPvh;
  sregs.cs = flat_segment(0x08, kCodeType);
  sregs.cs.l = long_mode ? 1 : 0;
  sregs.cs.db = long_mode ? 0 : 1;
  const kvm_segment data = [] {
    kvm_segment segment = flat_segment(0x10, kDataType);
    segment.db = 1;
    return segment;
  }();
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
  sregs.tr = task_state();
  sregs.ldt = {.unusable = 1};
  sregs.cr0 = kCr0ProtectionEnable | kCr0ExtensionType;
  sregs.cr3 = 0;
  sregs.cr4 = 0;
  sregs.efer = 0;
  if (!long_mode) return sregs;
  sregs.gdt.base = kDescriptorTableAddress.value;
  sregs.gdt.limit = sizeof(kBootDescriptors) - 1;
  sregs.cr0 |= kCr0NumericError | kCr0WriteProtect | kCr0Paging;
  sregs.cr3 = kPageMapAddress.value;
  sregs.cr4 = kCr4PhysicalAddressExtension;
  sregs.efer = kEferLongModeEnable | kEferLongModeActive;
  return sregs;
}

kvm_regs entry_registers(EntryKind kind, GuestAddress entry, uint64_t command_line_bytes) {
  kvm_regs regs{};
  regs.rip = entry.value;
  regs.rflags = kFlagsReserved;
  if (kind == EntryKind::kLinux64) {
    regs.rsi = kZeroPageAddress.value;
    regs.rsp = kBootStackTop.value;
  } else {
    regs.rbx = kStartInfoAddress.value;
    if (kind == EntryKind::kLongModeNote) {
      regs.rdi = kStartInfoAddress.value;
      regs.rsi = command_line_bytes;
    }
  }
  return regs;
}

uint64_t IdentityMap::directory_pointer(uint64_t index) const {
  return table_address(2 + index) | kPresent | kWritable;
}
uint64_t IdentityMap::directory_entry(uint64_t index) const {
  return index * kLargePageBytes | kPresent | kWritable | kLarge;
}

IdentityMap identity_map(uint64_t size_bytes) {
  IdentityMap map;
  map.page_map_entry = table_address(1) | kPresent | kWritable;
  map.large_pages = (size_bytes + kLargePageBytes - 1) / kLargePageBytes;
  map.directories = (map.large_pages + kDirectoryEntries - 1) / kDirectoryEntries;
  return map;
}
static_assert(kPageMapAddress.value + 6 * kGuestPageBytes <= kLowMemoryEnd);

std::vector<kvm_cpuid_entry2> guest_cpuid(std::span<const kvm_cpuid_entry2> supported, uint32_t tsc_khz) {
  std::vector<kvm_cpuid_entry2> entries;
  entries.reserve(supported.size() + 1);
  for (kvm_cpuid_entry2 entry : supported) {
    if (entry.function == abi::kTimingCpuidLeaf) continue;  // ours below
    adapt(entry, tsc_khz != 0);
    entries.push_back(entry);
  }
  if (tsc_khz != 0) {
    entries.push_back({.function = abi::kTimingCpuidLeaf, .eax = tsc_khz, .ebx = kApicBusKhz});
  }
  return entries;
}

}  // namespace cheshire
