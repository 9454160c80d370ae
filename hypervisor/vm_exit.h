// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Why a vCPU left the guest, as far as anybody outside of it can tell. A VMM counts by it, a driver passes
// the counts on, telemetry shows them: a word that all three share, and nothing else. No state; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cheshire {

enum class VmExit : uint8_t { kPort, kMmio, kIdle, kInterrupted, kOther };
inline constexpr size_t kVmExits = 5;

}  // namespace cheshire
