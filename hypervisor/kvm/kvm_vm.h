// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One cheshire-vmm process, seen from the driver's thread: what VmProcess says, the orders and reports on
// its control socket (vmm_messages/control_message.h), and what it uses.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "handle.h"
#include "hypervisor/process/process_usage.h"
#include "hypervisor/process/vm_process.h"
#include "hypervisor/vmm_messages/control_message.h"
#include "result.h"

namespace cheshire {

class ZygoteLink;

// What all VMs of a driver share.
struct VmmProgram {
  std::string path;
  UniqueFd kvm;    // given to every VMM
  UniqueFd cpuid;  // a sealed file: what KVM_GET_SUPPORTED_CPUID said
  bool idles_by_port = false;
  // For bench/boot_bench: called on the driver's thread with each trace that a VMM sent.
  std::function<void(InstanceId, const VmmTrace&)> on_trace;
};

class KvmVm final : public VmProcess {
 public:
  // With `run`, the order to run lies in its socket before it lives: no round trip. `program` and the
  // calling thread must outlive the VM (child_process.h). nullptr for the zygote: the program is executed,
  // which takes longer.
  static Result<std::unique_ptr<VmProcess>> start(const BootOrder& order, const VmmProgram& program,
                                                  ZygoteLink* zygote, bool run);

  void run() override { send(control_.get(), VmmOrderKind::kRun); }
  void pause() override { send(control_.get(), VmmOrderKind::kPause); }
  [[nodiscard]] int order_link() const override { return control_.get(); }
  [[nodiscard]] std::optional<VmUsage> measure_usage() override;
  // Any thread, with a link that stays open meanwhile.
  static void send(int link, VmmOrderKind kind);

 private:
  KvmVm(const BootOrder& order, const VmmProgram& program, ChildProcess child, UniqueFd control,
        bool reports_prepared);
  [[nodiscard]] int control_fd() const override { return control_.get(); }
  [[nodiscard]] bool read_control() override;
  [[nodiscard]] bool ask_to_end() override;
  [[nodiscard]] std::string explain(const ExitStatus& status) const override;
  void on_report(const VmmReport& report);

  const VmmProgram& program_;
  const UniqueFd control_;
  const bool reports_prepared_;
  ProcessUsage process_usage_;
  VmUsage usage_;
  std::string vmm_reason_;  // what the VMM said about its end
};

}  // namespace cheshire
