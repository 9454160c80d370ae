// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Runs VMs as QEMU processes of machine type microvm, connected to the data plane by vhost-user.
// The control thread calls QemuDriver; all else in this folder is the driver thread's, "qemu-driver".
//
// A shell is a QEMU started with -S: it has its memory, its image and its vhost-user connection. run() is
// QMP's `cont`, pause() is `stop`; QEMU takes the vhost-user device down with a stop and up again with a
// cont.
//
// The driver thread belongs to no polling core; so that neither it nor its VMs (which inherit its affinity)
// land on one, give it the CPUs that are not polled.
//
// Accelerator::kAuto tries KVM for real, once (kvm_probe.h), in the background: with QemuOptions::probe at
// construction, else with the first order that leaves the choice. Orders that leave the choice wait for the
// verdict, 3 s at most. No such wait for kKvm and kTcg.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hypervisor/process/process_driver.h"
#include "result.h"
#include "units.h"

namespace cheshire {

struct QemuOptions {
  std::string program = "qemu-system-x86_64";  // a path, or a name in PATH
  std::optional<BootOrder> probe;              // the image to try KVM with; only image and MAC are used
  uint64_t stop_grace_ns = 250 * kNsPerMs;     // from QMP's `quit` to SIGKILL
  std::vector<uint32_t> cpus;  // of the thread and the VMs; empty: those of the creating thread
};

class QemuDriver final : public ProcessDriver {
 public:
  // Takes some 15 ms: QEMU is run once for its version. kNotFound if it is not installed. description() is
  // like "qemu 7.2.22, accel tcg (kvm does not work here: …)"; what is not known yet is said so.
  static Result<std::unique_ptr<QemuDriver>> create(QemuOptions options);

  [[nodiscard]] std::string_view name() const override { return "qemu"; }

 private:
  using ProcessDriver::ProcessDriver;
};

}  // namespace cheshire
