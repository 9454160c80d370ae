// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What an operator may ask of a running daemon (docs/control.md), after it was read and before it is done:
// plain values, without JSON. Made by the control socket's thread, carried out by the control thread
// (ControlLoop::execute), answered by value.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "config.h"
#include "policy_config.h"
#include "result.h"

namespace cheshire {

enum class CommandKind : uint8_t {
  kScaleGet,     // service
  kScaleInit,    // service, any of min_size, max_size, warmup_ns, cooldown_ns
  kScaleAdd,     // service, policy
  kScaleRemove,  // service, policy_name
  kScaleReset,   // service
  kDrain,        // instance
  kReload,       // file: read and checked already
};

struct ControlCommand {
  CommandKind kind = CommandKind::kScaleGet;
  std::string service;
  std::optional<uint32_t> min_size;
  std::optional<uint32_t> max_size;
  std::optional<uint64_t> warmup_ns;
  std::optional<uint64_t> cooldown_ns;
  PolicyConfig policy;
  std::string policy_name;
  std::string instance;  // "hello/3/17"
  std::shared_ptr<const Config> file;
};

struct CommandAnswer {
  std::optional<Error> error;            // nothing was changed
  std::string done;                      // one sentence for a person
  std::shared_ptr<const Config> config;  // what the daemon runs by now
};

// The service of that name that is still configured; kNobodys.
[[nodiscard]] ServiceIndex find_service(const Config& config, const std::string& name);

}  // namespace cheshire
