// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Aligned columns for a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cheshire {

class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kRight;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns.
  void add_row(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Titles, then the rows in their order; two blanks between columns, none at a line's end.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// 1234567 as 1 234 567: digits in groups, with a blank that a reader's eye needs and a copy survives.
[[nodiscard]] std::string grouped(uint64_t number);
// Two to three digits that matter: 870 ns, 15.2 us, 3.04 ms, 12.5 s.
[[nodiscard]] std::string short_duration(uint64_t ns);
// The same for memory: 870 B, 57.2 KiB, 3.04 MiB, 12.5 GiB.
[[nodiscard]] std::string short_size(uint64_t bytes);

}  // namespace cheshire
