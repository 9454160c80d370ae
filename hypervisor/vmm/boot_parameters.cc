// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/boot_parameters.h"

#include <array>
#include <cstring>

#include "check.h"
#include "hypervisor/vmm/cpu_setup.h"
#include "hypervisor/vmm/machine.h"
#include "unikernel/abi.h"

namespace cheshire {
namespace {

constexpr std::string_view kDeviceOption = "virtio_mmio.device=512@0xfeb00000:5";
static_assert(kNetDeviceBytes == 512 && kNetDeviceAddress == 0xfeb0'0000 && kNetDeviceLine == 5);
constexpr std::string_view kIdleOption = "grin.idle=";
constexpr std::string_view kApplicationMark = " -- ";

// Linux' Documentation/arch/x86/boot.rst and zero-page.rst: the fields that a 64-bit entry needs.
constexpr size_t kZeroPageBytes = 4096;
constexpr size_t kE820CountOffset = 0x1e8;
constexpr size_t kBootFlagOffset = 0x1fe;
constexpr size_t kHeaderMagicOffset = 0x202;
constexpr size_t kLoaderTypeOffset = 0x210;
constexpr size_t kCommandLinePointerOffset = 0x228;
constexpr size_t kCommandLineSizeOffset = 0x238;
constexpr size_t kE820Offset = 0x2d0;
constexpr uint16_t kBootFlag = 0xaa55;
constexpr uint32_t kHeaderMagic = 0x5372'6448;  // "HdrS"
constexpr uint8_t kUnknownLoader = 0xff;
struct [[gnu::packed]] E820Entry {
  uint64_t address;
  uint64_t size_bytes;
  uint32_t type;
};
static_assert(sizeof(E820Entry) == 20);

struct MemoryRange {
  uint64_t begin;
  uint64_t end;
};
std::array<MemoryRange, 2> ram(const GuestMemory& memory) {
  return {{{0, kLowMemoryEnd}, {kHighMemoryBegin, memory.size_bytes()}}};
}

template <typename T>
void put(const GuestMemory& memory, GuestAddress address, const T& value) {
  const std::span<std::byte> to = memory.at(address, sizeof value);
  CHECK(to.size() == sizeof value);  // all of it lies in the first MiB, which every guest has
  std::memcpy(to.data(), &value, sizeof value);
}
template <typename T>
void put_field(const GuestMemory& memory, size_t offset, const T& value) {
  put(memory, {kZeroPageAddress.value + offset}, value);
}

void write_start_info(const GuestMemory& memory) {
  uint64_t at = kMemoryMapAddress.value;
  for (const MemoryRange& range : ram(memory)) {
    put(memory, {at},
        abi::HvmMemmapEntry{
            .address = range.begin, .size_bytes = range.end - range.begin, .type = abi::kMemmapTypeRam});
    at += sizeof(abi::HvmMemmapEntry);
  }
  put(memory, kStartInfoAddress,
      abi::HvmStartInfo{.magic = abi::kHvmStartMagic,
                        .version = 1,
                        .cmdline_address = kCommandLineAddress.value,
                        .memmap_address = kMemoryMapAddress.value,
                        .memmap_count = static_cast<uint32_t>(ram(memory).size())});
}
static_assert(kStartInfoAddress.value + sizeof(abi::HvmStartInfo) <= kMemoryMapAddress.value);
static_assert(kMemoryMapAddress.value + 2 * sizeof(abi::HvmMemmapEntry) <= kDescriptorTableAddress.value);

void write_zero_page(const GuestMemory& memory, size_t command_line_bytes) {
  put_field(memory, kBootFlagOffset, kBootFlag);
  put_field(memory, kHeaderMagicOffset, kHeaderMagic);
  put_field(memory, kLoaderTypeOffset, kUnknownLoader);
  put_field(memory, kCommandLinePointerOffset, static_cast<uint32_t>(kCommandLineAddress.value));
  put_field(memory, kCommandLineSizeOffset, static_cast<uint32_t>(command_line_bytes));
  uint8_t count = 0;
  for (const MemoryRange& range : ram(memory)) {
    put_field(memory, kE820Offset + count * sizeof(E820Entry),
              E820Entry{range.begin, range.end - range.begin, abi::kMemmapTypeRam});
    ++count;
  }
  put_field(memory, kE820CountOffset, count);
}
static_assert(kZeroPageAddress.value + kZeroPageBytes <= kPageMapAddress.value);

// Only as much as there is RAM: the guest maps its devices itself.
void write_identity_map(const GuestMemory& memory) {
  const IdentityMap map = identity_map(memory.size_bytes());
  put(memory, kPageMapAddress, map.page_map_entry);
  const uint64_t pointers = kPageMapAddress.value + kGuestPageBytes;
  for (uint64_t i = 0; i < map.directories; ++i) {
    put(memory, {pointers + i * sizeof(uint64_t)}, map.directory_pointer(i));
  }
  const uint64_t directories = pointers + kGuestPageBytes;
  const std::span<std::byte> entries = memory.at({directories}, map.large_pages * sizeof(uint64_t));
  for (uint64_t i = 0; i < map.large_pages; ++i) {
    const uint64_t entry = map.directory_entry(i);
    std::memcpy(entries.data() + i * sizeof entry, &entry, sizeof entry);
  }
}

}  // namespace

std::string full_command_line(std::string_view users, EntryKind kind, IdleMethod idle) {
  const size_t mark = users.find(kApplicationMark);
  std::string line(users.substr(0, mark));
  const auto add = [&line](std::string_view option) {
    if (!line.empty()) line += ' ';
    line += option;
  };
  add(kDeviceOption);
  const bool chosen = users.find(kIdleOption) != std::string_view::npos;
  if (kind == EntryKind::kLongModeNote && !chosen) {
    add(kIdleOption);
    line += idle == IdleMethod::kPort ? "port" : "hlt";
  }
  if (mark != std::string_view::npos) line += users.substr(mark);
  return line;
}

Result<void> write_boot_parameters(const GuestMemory& memory, EntryKind kind, std::string_view command_line) {
  if (command_line.size() >= kCommandLineBytesMax) {
    return Error{ErrorCode::kInvalidArgument, "the command line has " + std::to_string(command_line.size()) +
                                                  " bytes; a guest can be told 4095"};
  }
  const std::span<std::byte> text = memory.at(kCommandLineAddress, command_line.size() + 1);
  CHECK(text.size() == command_line.size() + 1);
  std::memcpy(text.data(), command_line.data(), command_line.size());
  if (kind == EntryKind::kLinux64) {
    write_zero_page(memory, command_line.size());
  } else {
    write_start_info(memory);
  }
  if (kind == EntryKind::kPvh) return {};
  put(memory, kDescriptorTableAddress, kBootDescriptors);
  write_identity_map(memory);
  return {};
}
static_assert(kCommandLineAddress.value + kCommandLineBytesMax <= kZeroPageAddress.value);
static_assert(kDescriptorTableAddress.value + sizeof(kBootDescriptors) <= kCommandLineAddress.value);

}  // namespace cheshire
