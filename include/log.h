// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The daemon's log, on standard error: one line a call, with time, level and the program's name. Any thread but the
// polling ones, which never log. Before start() lines go to standard output in the library's own dress, as in tests.
//
// This header does not include the logging library: text is formatted out of line, so a file that logs compiles about
// as fast as one that does not.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>

namespace cheshire::log {

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError, kCritical };

// Once, by the main thread. `level`: a word of the config's log_level; less than that is left out.
void start(const std::string& program, const std::string& level);
// Any thread; "off": nothing is said any more.
void set_level(const std::string& level);

void write(Level level, fmt::string_view format, fmt::format_args arguments);

template <typename... T>
void debug(fmt::format_string<T...> format, T&&... values) {
  write(Level::kDebug, format, fmt::make_format_args(values...));
}
template <typename... T>
void info(fmt::format_string<T...> format, T&&... values) {
  write(Level::kInfo, format, fmt::make_format_args(values...));
}
template <typename... T>
void warn(fmt::format_string<T...> format, T&&... values) {
  write(Level::kWarn, format, fmt::make_format_args(values...));
}
template <typename... T>
void error(fmt::format_string<T...> format, T&&... values) {
  write(Level::kError, format, fmt::make_format_args(values...));
}
template <typename... T>
void critical(fmt::format_string<T...> format, T&&... values) {
  write(Level::kCritical, format, fmt::make_format_args(values...));
}

}  // namespace cheshire::log
