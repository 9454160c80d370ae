// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The serial console: a few lines of log, never in the packet path.
#pragma once

#include <string_view>

namespace cheshire::grin {

// Writes to COM1 as is. Waits a bounded time per byte, so a missing or stuck UART costs time but never hangs.
void console_write(std::string_view text);

}  // namespace cheshire::grin
