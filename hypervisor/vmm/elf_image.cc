// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/elf_image.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "handle.h"
#include "unikernel/abi.h"

namespace cheshire {
namespace {

using File = std::span<const std::byte>;

Error refuse(std::string what) {
  return {ErrorCode::kInvalidArgument, "not a bootable ELF: " + std::move(what)};
}

std::string hex(uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (; value != 0 || text.empty(); value >>= 4U) text.insert(text.begin(), kDigits[value & 0xfU]);
  return "0x" + text;
}

// A struct of the file, wherever it lies: nothing in there is aligned by contract.
template <typename T>
std::optional<T> read_at(File file, uint64_t offset) {
  if (offset > file.size() || sizeof(T) > file.size() - offset) return std::nullopt;
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

// What we need of the two classes' headers, in one shape.
struct FileHeader {
  uint64_t entry;
  uint64_t headers_offset;
  uint16_t type, machine, header_bytes, header_count;
};
struct ProgramHeader {
  uint32_t type;
  uint64_t offset, address, file_bytes, memory_bytes;
};

template <typename Ehdr>
std::optional<FileHeader> read_file_header(File file) {
  const auto raw = read_at<Ehdr>(file, 0);
  if (!raw) return std::nullopt;
  return FileHeader{raw->e_entry, raw->e_phoff, raw->e_type, raw->e_machine, raw->e_phentsize, raw->e_phnum};
}
template <typename Phdr>
std::optional<ProgramHeader> read_program_header(File file, uint64_t offset) {
  const auto raw = read_at<Phdr>(file, offset);
  if (!raw) return std::nullopt;
  return ProgramHeader{raw->p_type, raw->p_offset, raw->p_paddr, raw->p_filesz, raw->p_memsz};
}

struct Entries {
  std::optional<uint64_t> long_mode;
  std::optional<uint64_t> pvh;
};

constexpr uint64_t round_up4(uint64_t value) {
  return (value + 3) & ~uint64_t{3};
}

uint64_t number_in(File descriptor) {
  uint64_t value = 0;
  std::memcpy(&value, descriptor.data(), std::min(descriptor.size(), sizeof value));
  return value;
}

// Elf32_Nhdr and Elf64_Nhdr are the same.
void read_notes(File notes, Entries& entries) {
  uint64_t at = 0;
  while (const auto note = read_at<Elf64_Nhdr>(notes, at)) {
    const uint64_t name_at = at + sizeof *note;
    const uint64_t descriptor_at = name_at + round_up4(note->n_namesz);
    const uint64_t end = descriptor_at + round_up4(note->n_descsz);
    if (descriptor_at > notes.size() || note->n_descsz > notes.size() - descriptor_at) return;
    std::string_view name(reinterpret_cast<const char*>(notes.data() + name_at), note->n_namesz);
    if (name.ends_with('\0')) name.remove_suffix(1);
    const File descriptor = notes.subspan(descriptor_at, note->n_descsz);
    const bool sized = descriptor.size() == 4 || descriptor.size() == 8;
    if (sized && name == abi::kPvhNoteName && note->n_type == abi::kPvhNoteType) {
      entries.pvh = number_in(descriptor);
    } else if (sized && name == abi::kLongModeNoteName && note->n_type == abi::kLongModeNoteType) {
      entries.long_mode = number_in(descriptor);
    }
    at = end;
  }
}

std::optional<Error> check_segment(const ProgramHeader& header, File file, uint64_t memory_bytes) {
  const std::string where = "segment at " + hex(header.address);
  if (header.offset > file.size() || header.file_bytes > file.size() - header.offset) {
    return refuse(where + " lies behind the end of the file");
  }
  if (header.file_bytes > header.memory_bytes) return refuse(where + " is larger in the file than in memory");
  if (header.address < kElfLowestAddress) return refuse(where + " lies below 1 MiB");
  if (header.address > memory_bytes || header.memory_bytes > memory_bytes - header.address) {
    return refuse(where + " of " + hex(header.memory_bytes) + " bytes does not fit the memory of " +
                  hex(memory_bytes));
  }
  return std::nullopt;
}

std::optional<Error> check_overlaps(std::vector<ElfSegment>& segments) {
  std::sort(segments.begin(), segments.end(),
            [](const ElfSegment& a, const ElfSegment& b) { return a.address < b.address; });
  for (size_t i = 1; i < segments.size(); ++i) {
    const ElfSegment& before = segments[i - 1];
    if (before.address.value + before.memory_bytes > segments[i].address.value) {
      return refuse("segments at " + hex(before.address.value) + " and " + hex(segments[i].address.value) +
                    " overlap");
    }
  }
  return std::nullopt;
}

std::optional<Error> choose_entry(const Entries& entries, bool is_64_bit, uint64_t plain_entry,
                                  ElfImage& image) {
  if (entries.long_mode) {
    image.entry_kind = EntryKind::kLongModeNote;
    image.entry = {*entries.long_mode};
  } else if (entries.pvh) {
    image.entry_kind = EntryKind::kPvh;
    image.entry = {*entries.pvh};
  } else if (is_64_bit) {
    image.entry_kind = EntryKind::kLinux64;
    image.entry = {plain_entry};
  } else {
    return refuse("32-bit and no PVH note (type 18, \"Xen\") says where to enter");
  }
  const auto holds_entry = [&](const ElfSegment& segment) {
    return image.entry >= segment.address && image.entry.value - segment.address.value < segment.memory_bytes;
  };
  if (std::none_of(image.segments.begin(), image.segments.end(), holds_entry)) {
    return refuse("entry " + hex(image.entry.value) + " lies in no segment");
  }
  return std::nullopt;
}

template <typename Ehdr, typename Phdr>
Result<ElfImage> parse_class(File file, uint64_t memory_bytes, uint16_t machine) {
  const auto header = read_file_header<Ehdr>(file);
  if (!header) return refuse("truncated in its header");
  if (header->machine != machine) return refuse("made for machine " + std::to_string(header->machine));
  if (header->type != ET_EXEC && header->type != ET_DYN) {
    return refuse("type " + std::to_string(header->type) + " is no executable");
  }
  if (header->header_bytes != sizeof(Phdr)) return refuse("program headers of a wrong size");
  if (header->header_count == 0 || header->header_count > kElfHeadersMax) {
    return refuse(std::to_string(header->header_count) + " program headers; 1 to 64 are taken");
  }
  ElfImage image;
  Entries entries;
  for (uint64_t i = 0; i < header->header_count; ++i) {
    // No overflow: the sum is at most 64 KiB off headers_offset, and read_at() compares before it adds.
    if (header->headers_offset > file.size()) return refuse("program headers lie behind the end of the file");
    const auto program = read_program_header<Phdr>(file, header->headers_offset + i * sizeof(Phdr));
    if (!program) return refuse("program headers lie behind the end of the file");
    if (program->type == PT_NOTE) {
      if (program->offset > file.size() || program->file_bytes > file.size() - program->offset ||
          program->file_bytes > kElfNoteBytesMax) {
        return refuse("notes lie behind the end of the file, or are larger than 64 KiB");
      }
      read_notes(file.subspan(program->offset, program->file_bytes), entries);
    }
    if (program->type != PT_LOAD || program->memory_bytes == 0) continue;
    if (const auto error = check_segment(*program, file, memory_bytes)) return *error;
    if (image.segments.size() == kElfSegmentsMax) return refuse("more than 16 segments to load");
    image.segments.push_back(
        {program->offset, program->file_bytes, {program->address}, program->memory_bytes});
  }
  if (image.segments.empty()) return refuse("nothing to load in it");
  if (const auto error = check_overlaps(image.segments)) return *error;
  const bool is_64_bit = sizeof(Ehdr) == sizeof(Elf64_Ehdr);
  if (const auto error = choose_entry(entries, is_64_bit, header->entry, image)) return *error;
  return image;
}

// The whole file, mapped and populated by one call: the copy then meets no fault on its side.
class MappedFile {
 public:
  MappedFile(int fd, size_t size_bytes) : size_bytes_(size_bytes) {
    void* base = ::mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (base != MAP_FAILED) base_ = static_cast<const std::byte*>(base);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (base_ != nullptr) ::munmap(const_cast<std::byte*>(base_), size_bytes_);
  }
  [[nodiscard]] bool valid() const { return base_ != nullptr; }
  [[nodiscard]] File bytes() const { return {base_, size_bytes_}; }

 private:
  const std::byte* base_ = nullptr;
  size_t size_bytes_;
};

}  // namespace

Result<ElfImage> parse_elf(File file, uint64_t memory_bytes) {
  const auto ident = read_at<std::array<unsigned char, EI_NIDENT>>(file, 0);
  if (!ident) return refuse("truncated in its header");
  if (std::memcmp(ident->data(), ELFMAG, SELFMAG) != 0) return refuse("no ELF magic");
  if ((*ident)[EI_DATA] != ELFDATA2LSB) return refuse("big-endian");
  if ((*ident)[EI_CLASS] == ELFCLASS64) {
    return parse_class<Elf64_Ehdr, Elf64_Phdr>(file, memory_bytes, EM_X86_64);
  }
  if ((*ident)[EI_CLASS] == ELFCLASS32) {
    return parse_class<Elf32_Ehdr, Elf32_Phdr>(file, memory_bytes, EM_386);
  }
  return refuse("neither 32-bit nor 64-bit");
}

Result<ElfImage> load_elf(const char* path, const GuestMemory& memory) {
  const auto failed = [path](const char* step) {
    return Error{ErrorCode::kNotFound,
                 std::string("could not ") + step + " kernel " + path + ": " + std::strerror(errno)};
  };
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return failed("open");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failed("stat");
  const auto size_bytes = static_cast<uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size_bytes == 0 || size_bytes > kElfFileBytesMax) {
    return refuse(std::string(path) + " is no file of 1 byte to 256 MiB");
  }
  const MappedFile file(fd.get(), size_bytes);
  if (!file.valid()) return failed("map");
  Result<ElfImage> image = parse_elf(file.bytes(), memory.size_bytes());
  if (!image) return image;
  for (const ElfSegment& segment : image.value().segments) {
    const std::span<std::byte> to = memory.at(segment.address, segment.file_bytes);
    CHECK(to.size() == segment.file_bytes);  // parse_elf() promised
    std::memcpy(to.data(), file.bytes().data() + segment.file_offset, to.size());
  }
  return image;
}

}  // namespace cheshire
