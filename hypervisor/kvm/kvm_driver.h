// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Runs VMs in our own micro-VMM (vmm.h), one small process each, connected to the data plane by vhost-user.
//
//   control thread                                      driver thread ("kvm-driver", one for all VMs)
//   prepare(), boot(), stop() ── orders, eventfd ─────► epoll: spawn, reports, consoles, exits, deadlines
//   next_event(), usage()     ◄─ events, a table ──────┘
//   run(), pause() ───────────── straight to the VMM's socket, where the instance is known to the thread
//
// The driver thread is the parent of every VM: when it ends, however the daemon dies, the kernel kills them.
// A pause leaves the vhost-user device up: packets for the guest wait in its ring, and the next run() finds
// them there.
//
// create() tries KVM for real, within a bounded time: a built-in guest computes, and sleeps until an
// interrupt. What it finds decides how guests idle (kvm_check.h), and description() says so.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "handle.h"
#include "hypervisor/driver.h"
#include "hypervisor/vmm_messages/control_message.h"
#include "result.h"

namespace cheshire {

class DriverMailbox;

struct KvmOptions {
  std::string program;  // of cheshire-vmm; empty: looked for beside our own program, then in PATH
  uint64_t stop_grace_ns = 250 * kNsPerMs;  // from the order to SIGKILL
  std::vector<uint32_t> cpus;               // of the thread and the VMs; empty: those of the creating thread
  bool use_zygote = true;  // false: each VMM is executed, which costs 0.4 ms more on the development machine
  // For bench/boot_bench: called on the driver's thread with what ask_trace() brought.
  std::function<void(InstanceId, const VmmTrace&)> on_trace;
};

class KvmDriver final : public Driver {
 public:
  // Takes some 10 ms, 3 s at most. kNotFound without /dev/kvm or cheshire-vmm, kUnavailable if KVM does not
  // work; the words are the reason.
  static Result<std::unique_ptr<KvmDriver>> create(KvmOptions options);
  ~KvmDriver() override;

  [[nodiscard]] std::string_view name() const override { return "kvm"; }
  // "kvm, emulating at 0.76 us an instruction, guests idle by port". Any thread.
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
  void ask_trace(InstanceId id);

 private:
  KvmDriver(std::unique_ptr<DriverMailbox> mailbox, UniqueFd kvm, UniqueFd cpuid);

  const std::unique_ptr<DriverMailbox> mailbox_;
  const UniqueFd kvm_;    // given to every VMM
  const UniqueFd cpuid_;  // a sealed file: what KVM_GET_SUPPORTED_CPUID said
  std::thread thread_;
};

}  // namespace cheshire
