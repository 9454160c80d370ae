// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The driver thread of qemu_driver.h: waits for commands, for what the VMs' descriptors bring and for
// deadlines, and tells events. Everything here belongs to that thread once run() was called.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "handle.h"
#include "hypervisor/process/driver_mailbox.h"
#include "hypervisor/qemu/kvm_probe.h"
#include "hypervisor/qemu/qemu_binary.h"
#include "hypervisor/qemu/qemu_driver.h"
#include "hypervisor/qemu/qemu_vm.h"
#include "result.h"

namespace cheshire {

class QemuLoop {
 public:
  // The mailbox must outlive run().
  static Result<std::unique_ptr<QemuLoop>> create(QemuOptions options, QemuBinary binary,
                                                  DriverMailbox& mailbox);
  // Returns after a ShutdownOrder, when every VM is gone.
  void run();

 private:
  // Names a VM towards epoll. Never used twice, so a late event of a VM that is gone finds nobody.
  using Serial = uint64_t;
  static constexpr Serial kNoVm = 0;  // the mailbox

  QemuLoop(QemuOptions options, QemuBinary binary, DriverMailbox& mailbox, UniqueFd epoll);
  void settle_on_cpus() const;
  void wait_for_events();
  [[nodiscard]] int wait_ms(uint64_t now_ns) const;
  void on_ready(uint64_t key, uint64_t now_ns);
  void take_orders(uint64_t now_ns);
  void on_time(uint64_t now_ns);

  void start(StartOrder order, uint64_t now_ns);
  void spawn(const StartOrder& order, QemuAccelerator accelerator);
  void act(const InstanceOrder& order, uint64_t now_ns);
  void act_on_waiting(std::deque<StartOrder>::iterator order, InstanceAct act);
  void shut_down();
  void forget_if_ended(Serial serial);
  void start_probe(const BootOrder& image, uint64_t now_ns);
  void advance_probe(uint64_t now_ns);
  // Returns the text too.
  std::string describe();

  [[nodiscard]] bool watch(Serial serial, const QemuVm& vm);
  [[nodiscard]] QemuVm* find(Serial serial) const;
  void pass_on_news(QemuVm& vm);
  void refresh_usage(uint64_t now_ns);
  void tell(DriverEventKind kind, InstanceId id, int32_t pid, std::string reason);
  void tell_exit(InstanceId id, std::string reason);

  const QemuOptions options_;
  const QemuBinary binary_;
  DriverMailbox& mailbox_;
  const UniqueFd epoll_;
  Serial last_serial_ = kNoVm;
  std::map<Serial, std::unique_ptr<QemuVm>> vms_;
  std::map<InstanceId, Serial> serial_of_;
  std::deque<StartOrder> waiting_;  // for the verdict about KVM
  std::unique_ptr<KvmProbe> probe_;
  Serial probe_serial_ = kNoVm;
  std::optional<KvmVerdict> verdict_;
  UsagePace usage_pace_;
  bool shutting_down_ = false;
};

}  // namespace cheshire
