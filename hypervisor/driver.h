// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The seam between the control plane and whatever runs a VM.
//
// A driver turns an image and a slot into a running VM and back. Calls come from the control thread and
// return at once: what takes time is done on threads of the driver's own, and what came of it is told by
// events that the control thread fetches on its next turn. This folder holds the seam; kvm/ and qemu/ are
// the drivers of real VMs, with what they share in process/, and fake/ is one for tests. All of that is in
// the daemon. vmm/ is not: it is the process of one VM of kvm's, which knows of the daemon only
// vmm_messages/.
//
// Per instance a driver tells exactly one sequence:
//
//   boot()    -> kSpawned -> kExited                a VM that ran and ended, by our order or by itself
//   boot()    -> kExited                            a VM that never started; `reason` has the words of the
//                                                   hypervisor
//   prepare() -> kSpawned -> kPrepared -> kExited   a shell; run() starts it and tells nothing: that the guest
//                                                   is ready is seen by its packets, not told by its driver
//   pause()   -> kPaused                            of an instance that runs; run() resumes it
//
// boot() is prepare() and run() with no round trip between them, and without kPrepared. run() may come
// before kPrepared and pause() at any time: orders are obeyed in their sequence. After kExited nothing of
// the instance is left: no process, no file, no socket of the driver's. A driver tries a start once more
// where its own short cut failed (kvm's zygote), and else never; back-off and bounds belong to the control
// plane (controlplane/fleet/boot_backoff.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "check.h"
#include "config.h"
#include "hypervisor/vm_exit.h"
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
  bool hugepages = false;  // memory from pages of 2 MiB, of which memory_bytes is a multiple then
};

enum class DriverEventKind : uint8_t { kSpawned, kExited, kPrepared, kPaused };

struct DriverEvent {
  DriverEventKind kind = DriverEventKind::kExited;
  InstanceId id;
  uint64_t time_ns = 0;   // monotonic
  uint64_t began_ns = 0;  // kSpawned: when the driver turned to the order; from there on a process was made
  int32_t pid = 0;        // kSpawned: of the VM's process, 0 where there is none
  std::string reason;     // kExited: "stopped", "killed by signal 9", "qemu: could not open …"
};

// What an instance has used. While it runs and somebody asks, it is 20 ms old at the most, with many VMs 2
// ms for each (process/usage_pace.h).
struct VmUsage {
  uint64_t time_ns = 0;                    // when it was measured, monotonic; the others belong to this time
  uint64_t cpu_ns = 0;                     // of the vCPU's thread, since it was started
  uint64_t memory_bytes = 0;               // touched pages of the guest and of its process, text left out
  std::array<uint64_t, kVmExits> exits{};  // by VmExit; zero where the driver cannot know
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

  // The tiers. Where has_tiers() is false, the next three must not be called.
  [[nodiscard]] virtual bool has_tiers() const { return false; }
  // A shell: process, VM, memory, image, vhost-user connected; not one guest instruction run.
  virtual void prepare(BootOrder) { CHECK(has_tiers()); }
  // Starts a shell or resumes a paused instance. Unknown, running or ended instances are ignored.
  virtual void run(InstanceId) { CHECK(has_tiers()); }
  // Stops the vCPU, tells kPaused. Instances that do not run are ignored.
  virtual void pause(InstanceId) { CHECK(has_tiers()); }

  // Ends the instance: asks first, kills after a bounded time. Unknown or ended instances are ignored.
  virtual void stop(InstanceId id) = 0;
  // The oldest event not yet fetched.
  [[nodiscard]] virtual std::optional<DriverEvent> next_event() = 0;

  // nullopt for unknown instances and where nothing was measured yet. A look into a table that the driver's
  // own thread refreshes: cheap. Asking is what keeps it fresh.
  [[nodiscard]] virtual std::optional<VmUsage> usage(InstanceId) { return std::nullopt; }
};

}  // namespace cheshire
