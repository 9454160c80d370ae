// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The commands that change what a daemon does: `cheshire scale`, `drain`, `reload`. The words of the command
// line, with the names and flags of `kraft cloud scale`, become one object of the control socket's protocol;
// the daemon checks what they mean.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace cheshire {

struct CommandOptions {
  std::string daemon;              // its name; empty: the only one
  std::string socket;              // its control socket; empty: found by the name
  bool json = false;               // print the answer itself
  nlohmann::ordered_json command;  // empty: none of these commands was given
};

// `options` outlives the app and is filled when it parses.
void add_commands(CLI::App& app, CommandOptions& options);

// What a person is told of a good answer.
[[nodiscard]] std::string render_answer(const nlohmann::ordered_json& command,
                                        const nlohmann::ordered_json& answer);
// … of what was done, but is doubtful; empty: nothing …
[[nodiscard]] std::string render_warning(const nlohmann::ordered_json& answer);
// … and of a refusal.
[[nodiscard]] std::string render_refusal(const nlohmann::ordered_json& answer);

}  // namespace cheshire
