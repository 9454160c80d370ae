// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tools/text_table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

#include "check.h"
#include "units.h"

namespace cheshire {
namespace {

struct Unit {
  uint64_t factor;
  const char* name;
};

// In the largest unit of which there is one at least; the last unit is 1.
std::string short_number(uint64_t number, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (number < unit.factor || unit.factor == 1) continue;
    const double value = static_cast<double>(number) / static_cast<double>(unit.factor);
    const int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%.*f %s", decimals, value, unit.name);
    return text.data();
  }
  return std::to_string(number) + " " + units.back().name;
}

}  // namespace

void TextTable::add_row(std::vector<std::string> cells) {
  CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = columns_[i].title.size();
    for (const auto& row : rows_) width = std::max(width, row[i].size());
    widths.push_back(width);
  }
  std::string out;
  const auto append_line = [&](const auto& cell_of) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string padding(widths[i] - cell.size(), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::kLeft ? cell + padding : padding + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  append_line([&](size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) append_line([&](size_t i) -> const std::string& { return row[i]; });
  return out;
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t place = digits.size(); place > 3;) {
    place -= 3;
    digits.insert(place, 1, ' ');
  }
  return digits;
}

std::string short_duration(uint64_t ns) {
  constexpr std::array<Unit, 4> kUnits{{{kNsPerSecond, "s"}, {kNsPerMs, "ms"}, {kNsPerUs, "us"}, {1, "ns"}}};
  return short_number(ns, kUnits);
}

std::string short_size(uint64_t bytes) {
  constexpr std::array<Unit, 4> kUnits{{{kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}, {1, "B"}}};
  return short_number(bytes, kUnits);
}

}  // namespace cheshire
