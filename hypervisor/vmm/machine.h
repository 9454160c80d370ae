// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The machine that a guest sees: addresses and lines. docs/machine_model.md is the prose to it.
#pragma once

#include <cstdint>

#include "hypervisor/vmm/guest_memory.h"

namespace cheshire {

// What the VMM writes below 1 MiB before the guest runs (boot_parameters.h). Start info, map, descriptor
// table and the beginning of the command line share a page: a page touched is a page fault.
inline constexpr GuestAddress kStartInfoAddress{0x6000};
inline constexpr GuestAddress kMemoryMapAddress{0x6040};
inline constexpr GuestAddress kDescriptorTableAddress{0x60c0};
inline constexpr GuestAddress kCommandLineAddress{0x6100};
inline constexpr uint64_t kCommandLineBytesMax = 4096;  // with its final zero
inline constexpr GuestAddress kZeroPageAddress{0x8000};
inline constexpr GuestAddress kBootStackTop{0x8ff0};
inline constexpr GuestAddress kPageMapAddress{0x9000};  // then one directory pointer table, then directories

inline constexpr uint64_t kLowMemoryEnd = 0xa0000;  // below the hole that PCs have
inline constexpr uint64_t kHighMemoryBegin = 0x100000;

// The network device: virtio over MMIO, the line on both interrupt controllers.
inline constexpr uint64_t kNetDeviceAddress = 0xfeb0'0000;
inline constexpr uint64_t kNetDeviceBytes = 512;
inline constexpr uint32_t kNetDeviceLine = 5;
inline constexpr uint64_t kIoapicAddress = 0xfec0'0000;
inline constexpr uint64_t kIoapicBytes = 0x1000;
inline constexpr uint32_t kIoapicLines = 24;
// Three pages that KVM needs for itself on some Intel CPUs.
inline constexpr uint64_t kTaskStateAddress = 0xfffb'd000;
static_assert(kGuestMemoryMax <= kNetDeviceAddress);

inline constexpr uint16_t kSerialPortFirst = 0x3f8;
inline constexpr uint16_t kSerialPorts = 8;
inline constexpr uint16_t kClockIndexPort = 0x70;
inline constexpr uint16_t kClockDataPort = 0x71;

}  // namespace cheshire
