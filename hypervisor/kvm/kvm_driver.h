// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Runs VMs in our own micro-VMM (hypervisor/vmm), one small process each, connected to the data plane by
// vhost-user. This folder is the driver, which lives in the daemon: what it knows of a VMM is what they say
// to each other (hypervisor/vmm_messages). The control thread calls KvmDriver; all else here is the driver
// thread's, "kvm-driver".
//
// An order to run or to pause goes straight from the control thread to the VMM's socket, where the instance
// is known to the driver thread (process/driver_mailbox.h). A pause leaves the vhost-user device up:
// packets for the guest wait in its ring, and the next run() finds them there.
//
// create() tries KVM for real, within a bounded time: a built-in guest computes, and sleeps until an
// interrupt. What it finds decides how guests idle (kvm_check.h), and description() says so.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hypervisor/process/process_driver.h"
#include "hypervisor/vmm_messages/control_message.h"
#include "result.h"
#include "units.h"

namespace cheshire {

struct KvmOptions {
  std::string program;  // of cheshire-vmm; empty: looked for beside our own program, then in PATH
  uint64_t stop_grace_ns = 250 * kNsPerMs;  // from the order to SIGKILL
  std::vector<uint32_t> cpus;               // of the thread and the VMs; empty: those of the creating thread
  bool use_zygote = true;  // false: each VMM is executed, which costs 0.4 ms more on the development machine
  // For bench/boot_bench: called on the driver's thread with what ask_trace() brought.
  std::function<void(InstanceId, const VmmTrace&)> on_trace;
};

class KvmDriver final : public ProcessDriver {
 public:
  // Takes some 10 ms, 3 s at most. kNotFound without /dev/kvm or cheshire-vmm, kUnavailable if KVM does not
  // work; the words are the reason. description() is like "kvm, emulating at 0.76 us an instruction, guests
  // idle by port".
  static Result<std::unique_ptr<KvmDriver>> create(KvmOptions options);

  [[nodiscard]] std::string_view name() const override { return "kvm"; }
  // control thread
  void run(InstanceId id) override;
  void pause(InstanceId id) override;
  // For bench/boot_bench: KvmOptions::on_trace brings what the VMM has noted.
  void ask_trace(InstanceId id);

 private:
  using ProcessDriver::ProcessDriver;
  // False if the instance has no link yet, or orders of it wait in the mailbox.
  [[nodiscard]] bool send_directly(InstanceId id, VmmOrderKind kind);
};

}  // namespace cheshire
