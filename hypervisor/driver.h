// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The seam between the control plane and whatever runs a VM.
//
// A driver turns an image and a slot into a running VM and back. Calls come from the control thread and
// return at once: the work is done on threads of the driver's own, and what came of it is told by events
// that the control thread fetches on its next turn. Per instance a driver tells exactly one sequence:
//
//   boot() -> kSpawned -> kExited      a VM that ran and ended, by our order or by itself
//   boot() -> kExited                  a VM that never started; `reason` has the hypervisor's own words
//
// After kExited nothing of the instance is left: no process, no file, no socket of the driver's.
// A driver never retries; back-off and bounds belong to the control plane (controlplane/instance_pool.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config.h"
#include "ids.h"
#include "net.h"

namespace cheshire {

struct BootOrder {
  InstanceId id;
  std::string name;    // "hello/3/17": service, slot, generation; for logs and process titles
  std::string kernel;  // path of the ELF
  uint64_t memory_bytes = 0;
  std::string command_line;  // placeholders filled in
  MacAddress mac;            // the guest's; the same for all instances
  std::string vhost_socket;  // the data plane listens there
  Accelerator accelerator = Accelerator::kAuto;
};

enum class DriverEventKind : uint8_t { kSpawned, kExited };

struct DriverEvent {
  DriverEventKind kind = DriverEventKind::kExited;
  InstanceId id;
  uint64_t time_ns = 0;  // monotonic
  int32_t pid = 0;       // kSpawned: of the VM's process, 0 where there is none
  std::string reason;    // kExited: "stopped", "killed by signal 9", "qemu: could not open …"
};

class Driver {
 public:
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  // Ends every VM and waits until each is gone.
  virtual ~Driver() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  // One line for the log and for telemetry: what was chosen and why, e.g. "accel tcg (kvm: …)".
  [[nodiscard]] virtual std::string description() const = 0;

  virtual void boot(BootOrder order) = 0;
  // Ends the instance: asks first, kills after a bounded time. Unknown or ended instances are ignored.
  virtual void stop(InstanceId id) = 0;
  // The oldest event not yet fetched.
  [[nodiscard]] virtual std::optional<DriverEvent> next_event() = 0;
};

}  // namespace cheshire
