// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The two ways in which grin ends. Both return the machine to the VMM; with QEMU's -no-reboot it exits.
#pragma once

#include <string_view>

namespace cheshire::grin {

// Our own bug, or a machine that we cannot run on: one line on the console, then power off.
[[noreturn]] void panic(std::string_view what);

// As panic, with the text that is at fault: panic("unknown option", "grin.prot=1").
[[noreturn]] void panic(std::string_view what, std::string_view detail);

[[noreturn]] void power_off();

}  // namespace cheshire::grin
