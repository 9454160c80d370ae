// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the control thread and the driver thread share; all of it behind one mutex that nobody holds for more
// than a few moves. Bounded by the contract: the control plane has at most one boot and one stop under way
// per slot, and each instance makes two events.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "handle.h"
#include "hypervisor/driver.h"

namespace cheshire {

struct StopOrder {
  InstanceId id;
};
struct ShutdownOrder {};
using QemuCommand = std::variant<BootOrder, StopOrder, ShutdownOrder>;

struct QemuMailbox {
  UniqueFd wake;  // eventfd: there are commands

  std::mutex mutex;                  // guards what follows
  std::deque<QemuCommand> commands;  // writer: control; reader: driver
  std::deque<DriverEvent> events;    // writer: driver; reader: control
  std::string description;           // writer: driver; readers: any

  void post(QemuCommand command);
  std::deque<QemuCommand> take_commands();
  void tell(DriverEvent event);
  std::optional<DriverEvent> next_event();
  void describe(std::string text);
};

}  // namespace cheshire
