// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The guest's RAM: one memfd from guest address 0 on, mapped here, in the kernel's VM and in the data plane.
//
// A guest address is no pointer. The one way from it to host memory is at(), which checks; what the guest
// says about its memory (rings, start info) goes through it. The descriptor is sealed against shrinking
// before it is shared: neither side can take pages away under the other.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "handle.h"
#include "result.h"

namespace cheshire {

struct GuestAddress {
  uint64_t value = 0;
  friend auto operator<=>(const GuestAddress&, const GuestAddress&) = default;
};

inline constexpr uint64_t kGuestPageBytes = 4096;
inline constexpr uint64_t kGuestMemoryMin = 1024 * 1024 + kGuestPageBytes;
// One slot from 0 on, below the devices and the interrupt controllers (docs/machine_model.md).
inline constexpr uint64_t kGuestMemoryMax = uint64_t{3} << 30;

class GuestMemory {
 public:
  // Zeroed, and nothing of it is touched yet. With huge pages the kernel must have some free (kUnavailable).
  [[nodiscard]] static Result<GuestMemory> create(uint64_t size_bytes, bool huge_pages);
  GuestMemory(GuestMemory&& other) noexcept;
  GuestMemory& operator=(GuestMemory&&) = delete;
  ~GuestMemory();

  [[nodiscard]] uint64_t size_bytes() const { return size_bytes_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::byte* base() const { return base_; }

  [[nodiscard]] bool contains(GuestAddress address, uint64_t count_bytes) const {
    return address.value <= size_bytes_ && count_bytes <= size_bytes_ - address.value;
  }
  // Empty if any of it lies outside.
  [[nodiscard]] std::span<std::byte> at(GuestAddress address, uint64_t count_bytes) const {
    if (!contains(address, count_bytes)) return {};
    return {base_ + address.value, static_cast<size_t>(count_bytes)};
  }

 private:
  GuestMemory(UniqueFd fd, std::byte* base, uint64_t size_bytes)
      : fd_(std::move(fd)), base_(base), size_bytes_(size_bytes) {}

  UniqueFd fd_;
  std::byte* base_ = nullptr;
  uint64_t size_bytes_ = 0;
};

}  // namespace cheshire
