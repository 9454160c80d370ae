// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The life of the control thread: it reads signals, has commands carried out, turns the control loop and naps
// until the next turn; when it is told to end, it turns on until every instance is gone.
//
// The main thread becomes it, once everything is started.
#pragma once

#include <cstdint>
#include <functional>

#include "controlplane/commands/control_socket.h"
#include "controlplane/control_loop.h"
#include "handle.h"
#include "load_board.h"
#include "result.h"

namespace cheshire {

// SIGINT, SIGTERM and SIGHUP are read from the descriptor like any other event. Blocked in the calling thread
// and in those that it starts from then on: call it before any other thread exists.
[[nodiscard]] Result<UniqueFd> take_signals();

struct ControlThreadLinks {
  ControlLoop& control;
  // What an operator asks for from outside of the process: by the control socket, or by SIGHUP.
  CommandMailbox& mailbox;
  ControlSocket& socket;
  const LoadBoard& board;
  const UniqueFd& signals;
  // For so long at the most; an edge on a worker ends the nap (doorbell.h).
  std::function<void(uint64_t longest_ns)> nap_or_be_woken;
};

// Returns after SIGINT or SIGTERM, when every instance is gone or had its time.
void run_control(const ControlThreadLinks& links);

}  // namespace cheshire
