// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a VMM and grin agree on. The hypervisor drivers include this header; grin is built against it.
//
// Two doors lead into the image. Both find the same start info at the guest physical address in EBX / RBX:
//  - PVH (ELF note 18, name "Xen"): 32-bit protected mode, paging off, as Xen's docs/misc/pvh.pandoc says.
//  - Long mode (ELF note 1, name "Cheshire", 8-byte descriptor = entry address): 64-bit mode with CS = 0x08,
//    null or flat SS/DS/ES, interrupts off, direction flag clear, and any identity map that covers the image.
//    RBX and RDI both hold the address of the start info, RSI the length of the command line in bytes without
//    its final zero, or 0 if that must be counted. RSP and the other registers may hold anything.
//    grin loads its own CR3, GDT and IDT at once, so the VMM's tables may be reused after the first exit.
//
// Guest RAM outside of the ELF segments reads as zero at entry (a fresh memfd does): grin clears nothing.
// Start info and command line lie below 4 GiB; grin reads both before it writes to memory outside its image.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cheshire::abi {

inline constexpr char kPvhNoteName[] = "Xen";
inline constexpr uint32_t kPvhNoteType = 18;  // XEN_ELFNOTE_PHYS32_ENTRY
inline constexpr char kLongModeNoteName[] = "Cheshire";
inline constexpr uint32_t kLongModeNoteType = 1;

// The idle port, used with `grin.idle=port`: a 32-bit `out` of the longest sleep in microseconds. The VMM
// holds the vCPU until a virtqueue has news for the guest or that time has passed. kIdleForever means no time
// limit. It may return early at any time. grin clears VIRTQ_AVAIL_F_NO_INTERRUPT and looks at the used ring
// again before it idles, so the queue's call eventfd is all that the VMM needs to watch.
inline constexpr uint16_t kIdlePort = 0x0e50;
inline constexpr uint32_t kIdleForever = 0xffff'ffff;

// COM1, a 16550: per 16 bytes grin waits a bounded time for bit 5 of the line status register (0x3fd) and
// then writes regardless. A VMM that ignores it all loses the log and nothing else.
inline constexpr uint16_t kSerialPort = 0x3f8;

// Power off: kResetCommand to kResetPort, and a triple fault where nothing listens there.
inline constexpr uint16_t kResetPort = 0x64;
inline constexpr uint8_t kResetCommand = 0xfe;

// CPUID leaf with the TSC frequency in kHz in EAX and that of the local APIC's bus in EBX.
inline constexpr uint32_t kTimingCpuidLeaf = 0x4000'0010;

inline constexpr uint32_t kHvmStartMagic = 0x336e'c578;
inline constexpr uint32_t kMemmapTypeRam = 1;

// xen/include/public/arch-x86/hvm/start_info.h, version 1.
struct HvmStartInfo {
  uint32_t magic;
  uint32_t version;
  uint32_t flags;
  uint32_t module_count;
  uint64_t modules_address;
  uint64_t cmdline_address;
  uint64_t rsdp_address;
  uint64_t memmap_address;  // from version 1 on
  uint32_t memmap_count;
  uint32_t reserved;
};
static_assert(sizeof(HvmStartInfo) == 56);
static_assert(offsetof(HvmStartInfo, cmdline_address) == 24);
static_assert(offsetof(HvmStartInfo, memmap_count) == 48);

struct HvmMemmapEntry {
  uint64_t address;
  uint64_t size_bytes;
  uint32_t type;
  uint32_t reserved;
};
static_assert(sizeof(HvmMemmapEntry) == 24);

}  // namespace cheshire::abi
