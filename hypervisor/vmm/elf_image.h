// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A bounded ELF loader. The file is outside input: every offset, size and address in it is checked, and what
// is refused is refused with a reason that names the field.
//
// Taken are ELF64 and ELF32 executables for x86; of them the PT_LOAD segments, at their physical addresses,
// and two notes. How to enter, in this order:
//   "Cheshire", type 1   long mode at the note's address           (unikernel/abi.h)
//   "Xen", type 18       32-bit protected mode at the note's address (PVH)
//   ELF64 with no note   long mode at e_entry, RSI at a zero page  (the 64-bit boot protocol of Linux)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hypervisor/vmm/guest_memory.h"
#include "result.h"

namespace cheshire {

inline constexpr size_t kElfSegmentsMax = 16;
inline constexpr size_t kElfHeadersMax = 64;
inline constexpr uint64_t kElfFileBytesMax = uint64_t{256} << 20;
inline constexpr uint64_t kElfNoteBytesMax = 64 * 1024;
// Below it lie the boot parameters (boot_parameters.h).
inline constexpr uint64_t kElfLowestAddress = 0x10'0000;

enum class EntryKind : uint8_t { kLongModeNote, kPvh, kLinux64 };

struct ElfSegment {
  uint64_t file_offset = 0;
  uint64_t file_bytes = 0;
  GuestAddress address;
  uint64_t memory_bytes = 0;  // what is above file_bytes stays zero
};

struct ElfImage {
  EntryKind entry_kind = EntryKind::kPvh;
  GuestAddress entry;
  std::vector<ElfSegment> segments;  // by address, disjoint
};

// Pure. Every segment of the result lies inside the file and inside kElfLowestAddress .. memory_bytes.
[[nodiscard]] Result<ElfImage> parse_elf(std::span<const std::byte> file, uint64_t memory_bytes);

// Opens, parses, copies. The guest's memory is fresh, that is, zero.
[[nodiscard]] Result<ElfImage> load_elf(const char* path, const GuestMemory& memory);

}  // namespace cheshire
