// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The guest's command line, with what depends on the service filled in. Pure functions, any thread.
//
// {guest_ip}    address that the guest answers at, as 10.0.0.2
// {guest_port}  its TCP port
// {gateway_ip}  a neighbour in the guest's /24 to send replies to: .1, or .2 where the guest itself is .1.
//               Nobody has that address; the data plane rewrites the Ethernet addresses of all that leaves.
// {{ and }}     one brace
#pragma once

#include <string>
#include <string_view>

#include "config.h"
#include "result.h"

namespace cheshire {

// An error names the first placeholder that does not exist, or the brace that is not closed.
[[nodiscard]] Result<void> check_command_line(std::string_view command_line);

// The image's command line for this service. What check_command_line() refuses is left as it is.
[[nodiscard]] std::string expand_command_line(const ImageConfig& image, const ServiceConfig& service);

[[nodiscard]] be32 gateway_of(be32 guest_ip);

}  // namespace cheshire
