// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One QEMU process, seen from the driver's thread: what VmProcess says, its QMP connection, which is its
// control socket, and what QMP told about the guest's end.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "hypervisor/process/process_usage.h"
#include "hypervisor/process/vm_process.h"
#include "hypervisor/qemu/qemu_command_line.h"
#include "hypervisor/qemu/qmp_client.h"
#include "result.h"

namespace cheshire {

class QemuVm final : public VmProcess {
 public:
  // The calling thread must outlive the VM (child_process.h).
  static Result<std::unique_ptr<QemuVm>> start(const BootOrder& order, const QemuLaunch& launch);

  void run() override { (void)qmp_.execute("cont"); }
  void pause() override;
  // nullopt until QEMU has told which thread is the vCPU's. What it cannot know is zero.
  [[nodiscard]] std::optional<VmUsage> measure_usage() override;
  [[nodiscard]] QmpClient& qmp() { return qmp_; }
  // Why it ended, without our part in it: QEMU's own words where it said any.
  [[nodiscard]] std::string words() const;

 private:
  QemuVm(const BootOrder& order, ChildProcess child, UniqueFd qmp_socket, bool paused);
  [[nodiscard]] int control_fd() const override { return qmp_.fd(); }
  [[nodiscard]] bool read_control() override { return qmp_.read(); }
  [[nodiscard]] bool ask_to_end() override { return qmp_.execute("quit").ok(); }
  [[nodiscard]] std::string explain(const ExitStatus& status) const override;
  void on_qmp_event(std::string_view event, const QmpClient::Json& data);
  void kill_if_guest_is_stuck();
  void find_vcpu_thread();

  QmpClient qmp_;
  std::optional<ProcessUsage> vcpu_usage_;
  std::string guest_end_;  // what QMP said about the guest's end; empty: nothing
};

}  // namespace cheshire
