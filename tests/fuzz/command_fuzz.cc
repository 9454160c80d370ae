// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any bytes as a line of the control socket: a command or an error, and either is answered in one line.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "check.h"
#include "controlplane/commands/command_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cheshire;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const Result<ControlCommand> command = parse_command(line);
  if (!command.ok()) {
    const std::string answer = format_error(command.error().what);
    CHECK(!command.error().what.empty() && answer.find('\n') == std::string::npos);
    return 0;
  }
  const ControlCommand& read = command.value();
  CHECK(read.policy.steps.size() <= kStepsMax);
  CHECK(!read.max_size || *read.max_size <= kSlotsMax);
  const std::string answer =
      format_answer(read, {.error = {}, .done = read.service + read.instance, .config = {}});
  CHECK(answer.find('\n') == std::string::npos && answer.starts_with("{\"ok\":true"));
  return 0;
}
