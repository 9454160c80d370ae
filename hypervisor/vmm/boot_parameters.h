// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the guest finds in memory when it is entered: start info (PVH) or zero page (Linux), command line,
// memory map, and for long mode a descriptor table and an identity map of its RAM.
#pragma once

#include <string>
#include <string_view>

#include "hypervisor/vmm/elf_image.h"
#include "hypervisor/vmm/guest_memory.h"
#include "hypervisor/vmm_messages/vmm_options.h"
#include "result.h"

namespace cheshire {

// The user's words, then "virtio_mmio.device=512@0xfeb00000:5", then for our own images "grin.idle=…" unless
// the user chose it. What follows " -- " belongs to the application and stays last.
[[nodiscard]] std::string full_command_line(std::string_view users, EntryKind kind, IdleMethod idle);

// kInvalidArgument if the command line is longer than kCommandLineBytesMax.
[[nodiscard]] Result<void> write_boot_parameters(const GuestMemory& memory, EntryKind kind,
                                                 std::string_view command_line);

}  // namespace cheshire
