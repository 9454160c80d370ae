// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The image as a VMM sees it: size, segments and the two notes of unikernel/abi.h.

#include <elf.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "unikernel/abi.h"

namespace cheshire::grin::test {
namespace {

constexpr uint64_t kImageStart = 1U << 20;

class ImageTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("GRIN_ELF");
    ASSERT_NE(path, nullptr) << "GRIN_ELF names the image";
    std::ifstream file(path, std::ios::binary);
    image_.assign(std::istreambuf_iterator<char>(file), {});
    ASSERT_GE(image_.size(), sizeof(Elf64_Ehdr));
    std::memcpy(&header_, image_.data(), sizeof(header_));
    for (unsigned i = 0; i < header_.e_phnum; ++i) {
      segments_.emplace_back();
      std::memcpy(&segments_.back(), image_.data() + header_.e_phoff + i * sizeof(Elf64_Phdr),
                  sizeof(Elf64_Phdr));
    }
  }

  std::optional<std::string> note(const std::string& name, uint32_t type) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_NOTE) continue;
      const auto padded = [](size_t size) { return (size + 3) & ~size_t{3}; };
      for (size_t at = segment.p_offset; at + sizeof(Elf64_Nhdr) < segment.p_offset + segment.p_filesz;) {
        Elf64_Nhdr head;
        std::memcpy(&head, image_.data() + at, sizeof(head));
        const size_t name_at = at + sizeof(head);
        const size_t data_at = name_at + padded(head.n_namesz);
        if (head.n_type == type && image_.substr(name_at, head.n_namesz - 1) == name) {
          return image_.substr(data_at, head.n_descsz);
        }
        at = data_at + padded(head.n_descsz);
      }
    }
    return std::nullopt;
  }

  std::string image_;
  Elf64_Ehdr header_ = {};
  std::vector<Elf64_Phdr> segments_;
};

TEST_F(ImageTest, is_small_and_starts_at_one_mebibyte) {
  EXPECT_LT(image_.size(), 100U * 1024);
  EXPECT_EQ(header_.e_machine, EM_X86_64);
  EXPECT_EQ(header_.e_type, ET_EXEC);
  uint64_t end = 0;
  uint64_t start = ~uint64_t{0};
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_LOAD) continue;
    EXPECT_EQ(segment.p_paddr, segment.p_vaddr);
    start = std::min(start, segment.p_paddr);
    end = std::max(end, segment.p_paddr + segment.p_memsz);
  }
  EXPECT_EQ(start, kImageStart);
  EXPECT_LT(end, kImageStart + (1U << 20));
}

TEST_F(ImageTest, has_the_notes_of_both_doors) {
  const auto pvh = note(cheshire::abi::kPvhNoteName, cheshire::abi::kPvhNoteType);
  ASSERT_TRUE(pvh && pvh->size() == 4);
  uint32_t entry32 = 0;
  std::memcpy(&entry32, pvh->data(), sizeof(entry32));
  EXPECT_EQ(entry32, kImageStart);

  const auto direct = note(cheshire::abi::kLongModeNoteName, cheshire::abi::kLongModeNoteType);
  ASSERT_TRUE(direct && direct->size() == 8);
  uint64_t entry64 = 0;
  std::memcpy(&entry64, direct->data(), sizeof(entry64));
  EXPECT_EQ(entry64, header_.e_entry);
  EXPECT_GT(entry64, kImageStart);
  EXPECT_LT(entry64, kImageStart + 0x1'0000);
}

}  // namespace
}  // namespace cheshire::grin::test
