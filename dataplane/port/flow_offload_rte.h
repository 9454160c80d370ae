// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The flow rules of an ethdev by rte_flow.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/port/flow_offload_device.h"

namespace cheshire {

// Before the port is configured: some NICs deliver marks only to who asked for them. Others need not be asked.
void ask_for_marks(uint16_t port_id);

// The port is started, and outlives the device.
[[nodiscard]] std::unique_ptr<FlowDevice> make_rte_flow_device(uint16_t port_id);

}  // namespace cheshire
