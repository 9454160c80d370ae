// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The rows of a table test are sentences; this makes them test names: "a SYN with options" is printed as
// a_SYN_with_options. A row type has a member `sentence`.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <string>

namespace cheshire::test {

inline constexpr auto kSentenceAsName = [](const auto& row) {
  std::string name;
  for (const char c : std::string(row.param.sentence)) {
    const bool allowed = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (allowed) name += c;
    if (!allowed && !name.empty() && name.back() != '_') name += '_';
  }
  return name;
};

}  // namespace cheshire::test
