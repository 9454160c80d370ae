// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Reasons and brakes as words in what a failed test says.
#pragma once

#include <ostream>

#include "controlplane/policy/policy.h"

namespace cheshire {

inline void PrintTo(Reason reason, std::ostream* out) {
  *out << to_string(reason);
}
inline void PrintTo(Brake brake, std::ostream* out) {
  *out << to_string(brake);
}

}  // namespace cheshire
