// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace cheshire {
namespace {

constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

Error failed(const char* step) {
  return {ErrorCode::kUnavailable, std::string("guest memory: ") + step + ": " + std::strerror(errno)};
}

}  // namespace

Result<GuestMemory> GuestMemory::create(uint64_t size_bytes, bool huge_pages) {
  const uint64_t page_bytes = huge_pages ? kHugePageBytes : kGuestPageBytes;
  if (size_bytes < kGuestMemoryMin || size_bytes > kGuestMemoryMax || size_bytes % page_bytes != 0) {
    return Error{ErrorCode::kInvalidArgument, "guest memory: " + std::to_string(size_bytes) +
                                                  " bytes; wanted are whole pages, from a little above 1 MiB "
                                                  "to 3 GiB"};
  }
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge_pages ? unsigned{MFD_HUGETLB} : 0U);
  UniqueFd fd(::memfd_create("guest", flags));
  if (!fd.valid()) return failed("memfd_create");
  if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) return failed("ftruncate");
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return failed("seal");
  // Ordinary pages are taken when touched. Huge ones are reserved here: a lack of them is an error now instead of a
  // SIGBUS later.
  const int reserve = huge_pages ? 0 : MAP_NORESERVE;
  void* base = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | reserve, fd.get(), 0);
  if (base == MAP_FAILED) return failed(huge_pages ? "huge pages" : "mmap");
  ::madvise(base, size_bytes, MADV_DONTDUMP);
  return GuestMemory(std::move(fd), static_cast<std::byte*>(base), size_bytes);
}

GuestMemory::GuestMemory(GuestMemory&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

GuestMemory::~GuestMemory() {
  if (base_ != nullptr) ::munmap(base_, size_bytes_);
}

}  // namespace cheshire
