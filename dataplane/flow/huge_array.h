// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// An array for tables that are looked up at random: zeroed and touched when it is made, in huge pages where
// the kernel gives them, so that a look-up misses the cache at most and not the TLB too. Without huge pages
// it works the same, slower. No memory at all ends the process, as `new` does without exceptions: tables are
// made at start.
//
// T is trivially copyable and all zero bytes are a good T.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "check.h"

namespace cheshire {

template <typename T>
class HugeArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit HugeArray(size_t count) : size_(count) {
    // A small array is not worth a huge page; a large one begins at the boundary of one.
    const size_t size = std::max<size_t>(count, 1) * sizeof(T);
    const size_t page = size < kHugePage ? kPage : kHugePage;
    bytes_ = round_up(size, page);
    mapped_ = bytes_ + (page - kPage);
    mapping_ = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapping_ != MAP_FAILED);
    const auto address = reinterpret_cast<uintptr_t>(mapping_);
    void* begin = static_cast<char*>(mapping_) + (round_up(address, page) - address);
    if (page == kHugePage) static_cast<void>(::madvise(begin, bytes_, MADV_HUGEPAGE));
    std::memset(begin, 0, bytes_);
    items_ = static_cast<T*>(begin);
  }
  HugeArray(const HugeArray&) = delete;
  HugeArray& operator=(const HugeArray&) = delete;
  ~HugeArray() { ::munmap(mapping_, mapped_); }

  [[nodiscard]] T& operator[](size_t index) { return items_[index]; }
  [[nodiscard]] const T& operator[](size_t index) const { return items_[index]; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] T* begin() { return items_; }
  [[nodiscard]] T* end() { return items_ + size_; }
  [[nodiscard]] T* data() { return items_; }
  [[nodiscard]] const T* data() const { return items_; }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20U;
  static constexpr size_t kPage = 4096;
  static size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

  size_t size_;
  size_t bytes_ = 0;
  size_t mapped_ = 0;
  void* mapping_ = nullptr;
  T* items_ = nullptr;
};

}  // namespace cheshire
