// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A client of a daemon's control socket (docs/control.md), bounded in time and bytes, trusting nothing it is
// told.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "result.h"

namespace cheshire {

// Sends one command and reads its answer: an object with "ok". kNotFound: nobody listens there; kUnavailable:
// this user may not; kInternal: somebody answers otherwise.
[[nodiscard]] Result<nlohmann::ordered_json> ask_control(const std::string& socket_path,
                                                         const nlohmann::ordered_json& command);

}  // namespace cheshire
