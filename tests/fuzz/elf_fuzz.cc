// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any bytes as a kernel: refused with a reason, or an image whose every part lies where it must.
#include <cstddef>
#include <cstdint>

#include "check.h"
#include "hypervisor/vmm/elf_image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cheshire;
  constexpr uint64_t kMemoryBytes = 16 * 1024 * 1024;
  const auto image = parse_elf(std::as_bytes(std::span(data, size)), kMemoryBytes);
  if (!image) {
    CHECK(!image.error().what.empty());
    return 0;
  }
  uint64_t free_from = kElfLowestAddress;
  bool holds_entry = false;
  for (const ElfSegment& segment : image.value().segments) {
    CHECK(segment.address.value >= free_from);
    CHECK(segment.memory_bytes <= kMemoryBytes - segment.address.value);
    CHECK(segment.file_bytes <= segment.memory_bytes);
    CHECK(segment.file_offset <= size && segment.file_bytes <= size - segment.file_offset);
    free_from = segment.address.value + segment.memory_bytes;
    const uint64_t entry = image.value().entry.value;
    holds_entry |= entry >= segment.address.value && entry < free_from;
  }
  CHECK(holds_entry);
  return 0;
}
