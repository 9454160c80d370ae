// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The life of the vCPU, as a table.
//
//            run            pause             stop, or the guest ends
//   prepared ───► running ───────► paused
//                 running ◄─────── paused     any ───► finished
//                           run
//
// An order that has no meaning in a state changes nothing. A pause of a VM that is not yet running is such:
// it stays prepared.
#pragma once

#include <cstdint>

namespace cheshire {

enum class VcpuState : uint8_t { kPrepared, kRunning, kPaused, kFinished };
enum class VcpuOrder : uint8_t { kRun, kPause, kStop };

[[nodiscard]] constexpr VcpuState next_state(VcpuState state, VcpuOrder order) {
  if (state == VcpuState::kFinished || order == VcpuOrder::kStop) return VcpuState::kFinished;
  if (order == VcpuOrder::kRun) return VcpuState::kRunning;
  return state == VcpuState::kRunning ? VcpuState::kPaused : state;
}

}  // namespace cheshire
