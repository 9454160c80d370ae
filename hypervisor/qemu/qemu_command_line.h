// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// From a boot order to QEMU's arguments: a pure function, so that a table can test it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hypervisor/driver.h"

namespace cheshire {

enum class QemuAccelerator { kKvm, kTcg };

struct QemuLaunch {
  std::string program = "qemu-system-x86_64";
  QemuAccelerator accelerator = QemuAccelerator::kTcg;
  int qmp_fd = 3;       // QEMU's end of the socket pair, as the child numbers it
  bool paused = false;  // wait for QMP's `cont` before the first guest instruction
};

// An order without a vhost_socket gets a network device that is connected to nothing.
[[nodiscard]] std::vector<std::string> qemu_command_line(const BootOrder& order, const QemuLaunch& launch);

// A value inside of a comma-separated option: QEMU wants commas doubled.
[[nodiscard]] std::string escape_commas(std::string_view value);

}  // namespace cheshire
