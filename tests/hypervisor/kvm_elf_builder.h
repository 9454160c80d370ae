// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// ELF files for tests, field by field: a test names only what it changes, right or wrong.
#pragma once

#include <elf.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace cheshire::test {

using FileBytes = std::vector<std::byte>;

inline FileBytes note(std::string_view name, uint32_t type, uint64_t value, uint32_t value_bytes) {
  const Elf64_Nhdr header{static_cast<uint32_t>(name.size() + 1), value_bytes, type};
  FileBytes bytes(sizeof header + (name.size() + 4) / 4 * 4 + (value_bytes + 3) / 4 * 4);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, name.data(), name.size());
  std::memcpy(bytes.data() + bytes.size() - (value_bytes + 3) / 4 * 4, &value,
              value_bytes < sizeof value ? value_bytes : sizeof value);
  return bytes;
}

struct ElfParts {
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> programs;
  FileBytes notes;
};

// 64-bit, one segment of 16 bytes at 1 MiB, which is entered at its beginning; no notes.
inline ElfParts good_elf() {
  ElfParts elf;
  std::memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
  elf.header.e_ident[EI_CLASS] = ELFCLASS64;
  elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
  elf.header.e_type = ET_EXEC;
  elf.header.e_machine = EM_X86_64;
  elf.header.e_entry = 0x100000;
  elf.header.e_phoff = sizeof(Elf64_Ehdr);
  elf.header.e_phentsize = sizeof(Elf64_Phdr);
  elf.programs.push_back({.p_type = PT_LOAD,
                          .p_flags = PF_R | PF_X,
                          .p_offset = 0,
                          .p_vaddr = 0x100000,
                          .p_paddr = 0x100000,
                          .p_filesz = 16,
                          .p_memsz = 4096,
                          .p_align = 4096});
  return elf;
}

// Header, program headers, notes. A header count of 0 means as many as there are.
inline FileBytes build(ElfParts elf) {
  if (!elf.notes.empty()) {
    const uint64_t offset = sizeof elf.header + (elf.programs.size() + 1) * sizeof(Elf64_Phdr);
    elf.programs.push_back(
        {.p_type = PT_NOTE, .p_flags = 0, .p_offset = offset, .p_filesz = elf.notes.size()});
  }
  if (elf.header.e_phnum == 0) elf.header.e_phnum = static_cast<uint16_t>(elf.programs.size());
  FileBytes file(sizeof elf.header + elf.programs.size() * sizeof(Elf64_Phdr));
  std::memcpy(file.data(), &elf.header, sizeof elf.header);
  std::memcpy(file.data() + sizeof elf.header, elf.programs.data(), elf.programs.size() * sizeof(Elf64_Phdr));
  file.insert(file.end(), elf.notes.begin(), elf.notes.end());
  return file;
}

}  // namespace cheshire::test
