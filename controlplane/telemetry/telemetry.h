// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The daemon's commands on DPDK's telemetry socket, read with the stock dpdk-telemetry.py or `cheshire
// status`.
//
//   /cheshire/services      each service: bounds, instances by state, flows, held SYNs
//   /cheshire/instances     each instance that exists
//   /cheshire/workers       packets in and out of each worker
//   /cheshire/drops         packets dropped, by reason
//   /cheshire/offload       what the NIC does for us, and why no more
//   /cheshire/cold_starts   the newest starts that a client waited for, stage by stage
//
// A long list is asked for in pages: "/cheshire/instances,START,COUNT". An answer has at most 256 entries and
// 16 KiB (DPDK's limits); without a page one that is sure to fit is given. Read-only. The callbacks run on
// the library's thread and read the load board and the newest status, never the control thread's own state.
#pragma once

#include "controlplane/commands/control_socket.h"
#include "controlplane/telemetry/status.h"
#include "controlplane/trace/decision_trace.h"
#include "flow_mark_board.h"
#include "flow_offload_status.h"
#include "load_board.h"
#include "result.h"

namespace cheshire {

struct TelemetryLinks {
  const LoadBoard* board = nullptr;
  const StatusBoard* status = nullptr;
  const ControlSocket* control_socket = nullptr;
  const OffloadBoard* offload = nullptr;
  const FlowMarkBoard* marks = nullptr;
  const DecisionTrace* trace = nullptr;
};

// Once per process, after EAL. What the links point to must live until forget_telemetry(), which waits for a
// command that is being answered; later ones are told that the daemon ends.
[[nodiscard]] Result<void> register_telemetry(const TelemetryLinks& links);
void forget_telemetry();

}  // namespace cheshire
