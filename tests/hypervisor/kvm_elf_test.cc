// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <gtest/gtest.h>

#include <functional>

#include "hypervisor/vmm/elf_image.h"
#include "tests/hypervisor/kvm_elf_builder.h"

namespace cheshire {
namespace {

using test::build;
using test::ElfParts;
using test::FileBytes;
using test::good_elf;
using test::note;

constexpr uint64_t kMemoryBytes = 16 * 1024 * 1024;

struct BadCase {
  const char* name;
  std::function<void(ElfParts&)> spoil;
  const char* words;
};

TEST(KvmElf, RefusesWhatIsWrongAndSaysWhat) {
  const BadCase cases[] = {
      {"no magic", [](ElfParts& e) { e.header.e_ident[0] = 'X'; }, "no ELF magic"},
      {"big-endian", [](ElfParts& e) { e.header.e_ident[EI_DATA] = ELFDATA2MSB; }, "big-endian"},
      {"class", [](ElfParts& e) { e.header.e_ident[EI_CLASS] = 7; }, "neither 32-bit nor 64-bit"},
      {"machine", [](ElfParts& e) { e.header.e_machine = EM_AARCH64; }, "made for machine 183"},
      {"type", [](ElfParts& e) { e.header.e_type = ET_REL; }, "type 1 is no executable"},
      {"header size", [](ElfParts& e) { e.header.e_phentsize = 8; }, "wrong size"},
      {"header count", [](ElfParts& e) { e.header.e_phnum = 65; }, "65 program headers"},
      {"more headers than file", [](ElfParts& e) { e.header.e_phnum = 60; }, "behind the end of the file"},
      {"headers far away", [](ElfParts& e) { e.header.e_phoff = ~uint64_t{0} - 8; }, "behind the end"},
      {"nothing to load", [](ElfParts& e) { e.programs[0].p_type = PT_NULL; }, "nothing to load"},
      {"file part behind the end",
       [](ElfParts& e) { e.programs[0].p_filesz = e.programs[0].p_memsz = 1 << 20; },
       "behind the end of the file"},
      {"offset wraps", [](ElfParts& e) { e.programs[0].p_offset = ~uint64_t{0}; },
       "behind the end of the file"},
      {"file larger than memory", [](ElfParts& e) { e.programs[0].p_memsz = 8; }, "larger in the file"},
      {"below 1 MiB", [](ElfParts& e) { e.programs[0].p_paddr = 0x8000; }, "below 1 MiB"},
      {"above memory", [](ElfParts& e) { e.programs[0].p_paddr = kMemoryBytes; }, "does not fit the memory"},
      {"huge", [](ElfParts& e) { e.programs[0].p_memsz = ~uint64_t{0}; }, "does not fit the memory"},
      {"address wraps", [](ElfParts& e) { e.programs[0].p_paddr = ~uint64_t{0} - 100; }, "does not fit"},
      {"overlap",
       [](ElfParts& e) {
         e.programs.push_back(e.programs[0]);
         e.programs[1].p_paddr += 4095;
       },
       "overlap"},
      {"entry outside", [](ElfParts& e) { e.header.e_entry = 0x101000; },
       "entry 0x101000 lies in no segment"},
      {"note's entry outside", [](ElfParts& e) { e.notes = note("Cheshire", 1, 0x5000, 8); }, "entry 0x5000"},
      {"PVH entry outside", [](ElfParts& e) { e.notes = note("Xen", 18, 0xffffffff, 4); },
       "entry 0xffffffff"},
  };
  for (const BadCase& c : cases) {
    ElfParts elf = good_elf();
    c.spoil(elf);
    const auto image = parse_elf(build(elf), kMemoryBytes);
    ASSERT_FALSE(image) << c.name;
    EXPECT_NE(image.error().what.find(c.words), std::string::npos) << c.name << ": " << image.error().what;
  }
}

TEST(KvmElf, RefusesTooManySegments) {
  ElfParts elf = good_elf();
  for (uint64_t i = 1; i <= kElfSegmentsMax; ++i) {
    elf.programs.push_back(elf.programs[0]);
    elf.programs[i].p_paddr += i * 4096;
  }
  const auto image = parse_elf(build(elf), kMemoryBytes);
  ASSERT_FALSE(image);
  EXPECT_NE(image.error().what.find("more than 16 segments"), std::string::npos);
}

TEST(KvmElf, RefusesEveryTruncation) {
  ElfParts elf = good_elf();
  elf.notes = note("Cheshire", 1, 0x100000, 8);
  const FileBytes whole = build(elf);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_elf(std::span(whole).first(size), kMemoryBytes)) << size;
  }
  EXPECT_TRUE(parse_elf(whole, kMemoryBytes));
}

struct EntryCase {
  const char* name;
  FileBytes notes;
  EntryKind kind;
  uint64_t entry;
};

TEST(KvmElf, ChoosesTheEntryByTheNotes) {
  FileBytes both = note("Xen", 18, 0x100010, 4);
  const FileBytes ours = note("Cheshire", 1, 0x100020, 8);
  both.insert(both.end(), ours.begin(), ours.end());
  const EntryCase cases[] = {
      {"no note: as Linux", {}, EntryKind::kLinux64, 0x100000},
      {"PVH", note("Xen", 18, 0x100010, 4), EntryKind::kPvh, 0x100010},
      {"ours before PVH", both, EntryKind::kLongModeNote, 0x100020},
      {"another type of Xen's", note("Xen", 17, 0x100010, 4), EntryKind::kLinux64, 0x100000},
      {"another name", note("Ches", 1, 0x100010, 8), EntryKind::kLinux64, 0x100000},
      {"an odd descriptor", note("Xen", 18, 0x100010, 2), EntryKind::kLinux64, 0x100000},
  };
  for (const EntryCase& c : cases) {
    ElfParts elf = good_elf();
    elf.notes = c.notes;
    const auto image = parse_elf(build(elf), kMemoryBytes);
    ASSERT_TRUE(image) << c.name << ": " << image.error().what;
    EXPECT_EQ(image.value().entry_kind, c.kind) << c.name;
    EXPECT_EQ(image.value().entry.value, c.entry) << c.name;
  }
}

TEST(KvmElf, SortsSegmentsAndKeepsTheirPlaces) {
  ElfParts elf = good_elf();
  elf.programs.insert(elf.programs.begin(), elf.programs[0]);
  elf.programs[0].p_paddr = 0x200000;
  const auto image = parse_elf(build(elf), kMemoryBytes);
  ASSERT_TRUE(image) << image.error().what;
  ASSERT_EQ(image.value().segments.size(), 2U);
  EXPECT_EQ(image.value().segments[0].address.value, 0x100000U);
  EXPECT_EQ(image.value().segments[1].address.value, 0x200000U);
}

TEST(KvmElf, SaysWhichFileIsNotThere) {
  auto memory = GuestMemory::create(kMemoryBytes, false);
  ASSERT_TRUE(memory) << memory.error().what;
  const auto image = load_elf("/nonexistent.elf", memory.value());
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().what, "could not open kernel /nonexistent.elf: No such file or directory");
  EXPECT_FALSE(load_elf("/dev/zero", memory.value()));
  EXPECT_FALSE(load_elf("/", memory.value()));
}

}  // namespace
}  // namespace cheshire
