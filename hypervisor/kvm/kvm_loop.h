// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The driver thread of kvm_driver.h: waits for orders, for what the VMs' descriptors bring and for deadlines,
// and tells events. Everything here belongs to that thread once run() was called.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "handle.h"
#include "hypervisor/kvm/kvm_vm.h"
#include "hypervisor/kvm/zygote_link.h"
#include "hypervisor/process/driver_mailbox.h"
#include "result.h"

namespace cheshire {

struct KvmLoopOptions {
  VmmProgram program;
  uint64_t stop_grace_ns = 0;
  std::vector<uint32_t> cpus;  // of the thread and the VMs; empty: those of the creating thread
  bool use_zygote = true;
  // For bench/boot_bench: called on the driver's thread with each trace that a VMM sent.
  std::function<void(InstanceId, const VmmTrace&)> on_trace;
};

class KvmLoop {
 public:
  // The mailbox must outlive run(); `options.program`'s descriptors must outlive the VMs.
  static Result<std::unique_ptr<KvmLoop>> create(KvmLoopOptions options, DriverMailbox& mailbox);
  // Returns after a ShutdownOrder, when every VM is gone.
  void run();

 private:
  // Names a VM towards epoll. Never used twice, so a late event of a VM that is gone finds nobody.
  using Serial = uint64_t;
  static constexpr Serial kNoVm = 0;          // the mailbox
  static constexpr uint32_t kZygotesMax = 4;  // one that dies over and over is not worth it

  KvmLoop(KvmLoopOptions options, DriverMailbox& mailbox, UniqueFd epoll)
      : options_(std::move(options)),
        mailbox_(mailbox),
        epoll_(std::move(epoll)),
        zygotes_left_(options_.use_zygote ? kZygotesMax : 0) {}
  void settle_on_cpus() const;
  void wait_for_events();
  [[nodiscard]] int wait_ms(uint64_t now_ns) const;
  void on_ready(uint64_t key, uint64_t now_ns);
  void take_orders(uint64_t now_ns);
  void on_time(uint64_t now_ns);
  void refresh_usage(uint64_t now_ns);

  void start(const StartOrder& order);
  [[nodiscard]] Result<std::unique_ptr<KvmVm>> start_vm(const StartOrder& order);
  void start_zygote();
  void act(const InstanceOrder& order, uint64_t now_ns);
  [[nodiscard]] bool watch(Serial serial, const KvmVm& vm);
  void pass_on_news(KvmVm& vm);
  void forget_if_ended(Serial serial);
  void tell(DriverEventKind kind, InstanceId id, int32_t pid, std::string reason);

  const KvmLoopOptions options_;
  DriverMailbox& mailbox_;
  const UniqueFd epoll_;
  Serial last_serial_ = kNoVm;
  std::map<Serial, std::unique_ptr<KvmVm>> vms_;
  std::map<InstanceId, Serial> serial_of_;
  UsagePace usage_pace_;
  std::optional<ZygoteLink> zygote_;  // none: VMMs are executed one by one
  uint32_t zygotes_left_;
  bool shutting_down_ = false;
};

}  // namespace cheshire
