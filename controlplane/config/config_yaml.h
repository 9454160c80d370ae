// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Reads the one YAML file that configures a daemon.
//
// bytes ─► yaml_tree (bounded) ─► config_reader along config_schema ─► config_checks ─► Config
//
// Every stage adds to one list of problems, so a person sees all of them at once, each with file, line,
// column, key and remedy, before a port is touched. No stage trusts the bytes: size, depth, aliases and the
// number of problems are bounded, and nothing throws out. Any thread.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config.h"
#include "controlplane/config/command_line.h"
#include "controlplane/config/config_problem.h"

namespace cheshire {

struct ConfigResult {
  std::optional<Config> config;         // there if no problem is an error
  std::vector<ConfigProblem> problems;  // in the order of the file; warnings also when there is a config

  [[nodiscard]] bool ok() const { return config.has_value(); }
};

struct ParseOptions {
  std::string base_dir = "/";  // absolute; relative image paths start here
  bool check_files = true;     // false: no image file is looked at, so that parsing does no input or output
};

[[nodiscard]] ConfigResult parse_config(std::string_view text, const std::string& file_name,
                                        const ParseOptions& options);

// The same for a file, which may be a pipe.
[[nodiscard]] ConfigResult load_config(const std::string& path);

// One line per problem, each ended by a newline.
[[nodiscard]] std::string format_problems(const std::vector<ConfigProblem>& problems);

// `cheshired --check FILE` and `cheshire check FILE`: prints the problems, or that there is none, and returns
// the exit code, 0 or 2.
[[nodiscard]] int check_config_file(const std::string& path, std::ostream& out);

}  // namespace cheshire
