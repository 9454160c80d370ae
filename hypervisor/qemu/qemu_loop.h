// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The driver thread of qemu_driver.h: VmLoop, with VMs that are QEMUs, and the question whether KVM works,
// for which orders that leave the accelerator open have to wait.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "hypervisor/process/vm_loop.h"
#include "hypervisor/qemu/kvm_probe.h"
#include "hypervisor/qemu/qemu_binary.h"
#include "hypervisor/qemu/qemu_driver.h"
#include "result.h"

namespace cheshire {

class QemuLoop final : public VmLoop {
 public:
  // The mailbox must outlive run().
  static Result<std::unique_ptr<VmLoop>> create(QemuOptions options, QemuBinary binary,
                                                DriverMailbox& mailbox);

 private:
  QemuLoop(QemuOptions options, QemuBinary binary, DriverMailbox& mailbox, UniqueFd epoll);
  void on_begin() override;
  void on_turn() override;
  void start(StartOrder order, uint64_t now_ns) override;
  void carry_out_without_vm(const InstanceOrder& order) override;
  void on_shutdown() override;
  // The probe's VM is watched as any other, and is nobody's instance.
  [[nodiscard]] VmProcess* find_unlisted(Serial serial) const override;
  [[nodiscard]] bool has_unlisted() const override { return probe_ && probe_->vm() != nullptr; }
  [[nodiscard]] uint64_t unlisted_due_ns() const override;

  void spawn(const StartOrder& order, QemuAccelerator accelerator);
  void start_probe(const BootOrder& image, uint64_t now_ns);
  // Tells the mailbox what is known about the accelerator; returns the text too.
  std::string update_description();

  const std::optional<BootOrder> first_probe_;
  const QemuBinary binary_;
  std::deque<StartOrder> waiting_;  // for the verdict about KVM
  std::unique_ptr<KvmProbe> probe_;
  Serial probe_serial_ = kNoVm;
  std::optional<KvmVerdict> verdict_;
};

}  // namespace cheshire
