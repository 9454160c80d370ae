// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Answers of the telemetry socket: pages of rows, within what the DPDK library takes. For telemetry.cc; on the
// library's thread.
#pragma once

#include <rte_telemetry.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cheshire {

struct Page {
  size_t start = 0;
  size_t count = 0;
};

// What surely fits into the 16 KiB of one answer: the longest rows have some 600 bytes.
inline constexpr size_t kPageMax = 24;

// The library takes only letters, digits, '_' and '/' in a key. Names have no '_', so nothing
// collides.
inline std::string as_key(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// "START" or "START,COUNT"; nullopt: something else.
inline std::optional<Page> parse_page(const char* parameters) {
  Page page{0, kPageMax};
  if (parameters == nullptr) return page;
  const std::string_view text(parameters);
  if (text.empty()) return page;
  const char* end = text.data() + text.size();
  auto [after_start, error] = std::from_chars(text.data(), end, page.start);
  if (error != std::errc{}) return std::nullopt;
  if (after_start == end) return page;
  if (*after_start != ',') return std::nullopt;
  auto [after_count, count_error] = std::from_chars(after_start + 1, end, page.count);
  if (count_error != std::errc{} || after_count != end) return std::nullopt;
  page.count = std::min(page.count, kPageMax);
  return page;
}

class Dict {
 public:
  explicit Dict(rte_tel_data* data) : data_(data) { rte_tel_data_start_dict(data_); }
  // Values that do not fit are left out by the library; 256 entries are more than any of our rows has.
  void add(const char* name, uint64_t value) {
    static_cast<void>(rte_tel_data_add_dict_u64(data_, name, value));
  }
  void add(const char* name, const std::string& value) {
    static_cast<void>(rte_tel_data_add_dict_string(data_, name, value.c_str()));
  }
  // A row of its own under `name`; false: no memory or no room.
  template <typename Fill>
  bool add_row(const std::string& name, Fill&& fill) {
    rte_tel_data* row = rte_tel_data_alloc();
    if (row == nullptr) return false;
    Dict dict(row);
    fill(dict);
    constexpr int kFreeWhenSent = 0;
    if (rte_tel_data_add_dict_container(data_, name.c_str(), row, kFreeWhenSent) == 0) return true;
    rte_tel_data_free(row);
    return false;
  }

 private:
  rte_tel_data* data_;
};

}  // namespace cheshire
