// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One line of the control socket as a command, and an answer as one line. docs/control.md is the
// specification. Pure functions, any thread; the line is outside bytes of any kind.
//
//   {"command": "scale add", "service": "hello", "name": "busy", "type": "step", "metric": "cpu",
//    "adjustment": "percent", "steps": ["600:800/50", "800:/100"]}
//   {"ok": true, "done": "hello: policy \"busy\" added", "service": "hello", "min_size": 0, …}
//   {"ok": true, …, "warning": "would swing for ever under …"}
//   {"ok": false, "error": "…"}
//
// A key that the command does not have, a key that is there twice, and a value of another kind are errors:
// what is misspelt never counts as left out.
#pragma once

#include <string>
#include <string_view>

#include "controlplane/commands/control_command.h"
#include "result.h"

namespace cheshire {

[[nodiscard]] Result<ControlCommand> parse_command(std::string_view line);

// Without the end of the line, which no answer has inside. `warning`: about what was done; empty: none.
[[nodiscard]] std::string format_answer(const ControlCommand& command, const CommandAnswer& answer,
                                        const std::string& warning = {});
[[nodiscard]] std::string format_error(const std::string& what);

}  // namespace cheshire
