// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The values of the config file as text: durations, sizes, counts, addresses. Each parser takes outside
// bytes of any kind and returns the value, or an Error whose sentence says what to write instead. Pure
// functions, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "be.h"
#include "result.h"

namespace cheshire {

// A number, at most six decimals, and a unit without a space: ns us ms s m h. Zero needs no unit.
[[nodiscard]] Result<uint64_t> parse_duration_ns(std::string_view text);
// The same with B KiB MiB GiB.
[[nodiscard]] Result<uint64_t> parse_size_bytes(std::string_view text);
// Decimal digits only.
[[nodiscard]] Result<uint64_t> parse_count(std::string_view text);
// true or false; YAML 1.1's yes, no, on and off are refused, as two readers of a file may disagree on them.
[[nodiscard]] Result<bool> parse_flag(std::string_view text);

struct Endpoint {
  be32 ip;
  be16 port;
};
// 192.0.2.10:80, an address that one host on a network may have, and a port that is not 0.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);

// The shortest exact form, which the parsers above read back: 1500000 ns is 1500us.
[[nodiscard]] std::string format_duration(uint64_t ns);
[[nodiscard]] std::string format_size(uint64_t bytes);
[[nodiscard]] std::string format_ipv4(be32 ip);
[[nodiscard]] std::string format_endpoint(be32 ip, be16 port);

// Names of daemons, images and services: 1 to 32 of a-z 0-9 and hyphen, the first no hyphen.
inline constexpr size_t kNameMax = 32;
[[nodiscard]] bool is_name(std::string_view text);

// Outside text made fit for a terminal and a line: control bytes become \xNN, long text is cut.
[[nodiscard]] std::string printable(std::string_view text);
// The same in double quotes.
[[nodiscard]] std::string in_quotes(std::string_view text);

// The word of the list that was most likely meant (few edits away), or empty.
[[nodiscard]] std::string_view nearest_word(std::string_view text, std::span<const std::string_view> words);
// ` (did you mean "max"?)`, or empty.
[[nodiscard]] std::string did_you_mean(std::string_view text, std::span<const std::string_view> words);

}  // namespace cheshire
