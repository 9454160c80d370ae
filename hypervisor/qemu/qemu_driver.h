// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Runs VMs as QEMU processes of machine type microvm, connected to the data plane by vhost-user.
//
//   control thread                        driver thread ("qemu-driver", one for all VMs)
//   every order ── mailbox, eventfd ────► epoll: spawn, QMP, consoles, exits, deadlines
//   next_event(), usage() ◄── events ─────┘
//
// A shell is a QEMU started with -S: it has its memory, its image and its vhost-user connection. run() is
// QMP's `cont`, pause() is `stop`; QEMU takes the vhost-user device down with a stop and up again with a
// cont.
//
// The driver thread is the parent of every VM: when it ends, however the daemon dies, the kernel kills them.
// It belongs to no polling core; so that neither it nor its VMs (which inherit its affinity) land on one,
// give it the CPUs that are not polled.
//
// Accelerator::kAuto tries KVM for real, once (kvm_probe.h), in the background: with QemuOptions::probe at
// construction, else with the first order that leaves the choice. Orders that leave the choice wait for the
// verdict, 3 s at most. No such wait for kKvm and kTcg.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "hypervisor/driver.h"
#include "result.h"

namespace cheshire {

struct QemuOptions {
  std::string program = "qemu-system-x86_64";  // a path, or a name in PATH
  std::optional<BootOrder> probe;              // the image to try KVM with; only image and MAC are used
  uint64_t stop_grace_ns = 250 * kNsPerMs;     // from QMP's `quit` to SIGKILL
  std::vector<uint32_t> cpus;  // of the thread and the VMs; empty: those of the creating thread
};

class DriverMailbox;

class QemuDriver final : public Driver {
 public:
  // Takes some 15 ms: QEMU is run once for its version. kNotFound if it is not installed.
  static Result<std::unique_ptr<QemuDriver>> create(QemuOptions options);
  ~QemuDriver() override;

  [[nodiscard]] std::string_view name() const override { return "qemu"; }
  // "qemu 7.2.22, accel tcg (kvm does not work here: …)"; what is not known yet is said so. Any thread.
  [[nodiscard]] std::string description() const override;
  // control thread
  void boot(BootOrder order) override;
  [[nodiscard]] bool has_tiers() const override { return true; }
  void prepare(BootOrder order) override;
  void run(InstanceId id) override;
  void pause(InstanceId id) override;
  void stop(InstanceId id) override;
  [[nodiscard]] std::optional<DriverEvent> next_event() override;
  [[nodiscard]] std::optional<VmUsage> usage(InstanceId id) override;

 private:
  explicit QemuDriver(std::unique_ptr<DriverMailbox> mailbox);

  const std::unique_ptr<DriverMailbox> mailbox_;
  std::thread thread_;
};

}  // namespace cheshire
