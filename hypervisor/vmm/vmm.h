// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The VMM of one VM: one process, one thread, which is the vCPU's. This folder is that process and nothing
// else: the machine that a guest sees (machine.h, docs/machine_model.md), its network device and the
// connection behind it, the boot, the sandbox. Nobody in the daemon calls it; orders and reports go by
// vmm_messages/.
//
// It is in one of three places: in the kernel running the guest (KVM_RUN), handling an exit, or asleep in
// poll. What comes from outside meanwhile (an order of the driver's, an answer of the data plane's) raises
// SIGIO, whose handler sets kvm_run::immediate_exit: the vCPU leaves the guest, or does not even enter it,
// and the channels are read. No second thread, no lock, and an idle VM costs nothing.
//
//   prepare()  the boot order; returns when all is ready for the first guest instruction
//   run()      the life; returns when the guest has ended, or was told to
#pragma once

#include <array>
#include <optional>
#include <string>

#include "handle.h"
#include "hypervisor/vmm/exit_log.h"
#include "hypervisor/vmm/guest_memory.h"
#include "hypervisor/vmm/ioapic.h"
#include "hypervisor/vmm/serial_port.h"
#include "hypervisor/vmm/vcpu_state.h"
#include "hypervisor/vmm/vhost_front_end.h"
#include "hypervisor/vmm/virtio_mmio.h"
#include "hypervisor/vmm/vm.h"
#include "hypervisor/vmm_messages/control_message.h"
#include "hypervisor/vmm_messages/vmm_options.h"
#include "result.h"

namespace cheshire {

class Vmm {
 public:
  explicit Vmm(VmmOptions options);
  Vmm(const Vmm&) = delete;
  Vmm& operator=(const Vmm&) = delete;

  [[nodiscard]] Result<void> prepare();
  void run();
  // Tells the driver why the VM has ended, or standard error where there is no driver.
  void report_exit(const std::string& reason);
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  // vmm.cc: life
  [[nodiscard]] Result<void> make_eventfds();
  [[nodiscard]] Result<void> load_image();
  [[nodiscard]] Result<void> make_vm();
  [[nodiscard]] Result<void> connect_network();
  void read_orders();
  void carry_out(VmmOrderKind kind);
  void change_state(VcpuOrder order);
  void finish(std::string reason);
  void run_guest();
  void wait_for_orders();
  void report(VmmReportKind kind);
  void report_trace();
  [[nodiscard]] VmmReport make_report(VmmReportKind kind) const;

  // vmm_network.cc: the vhost-user connection while the guest lives
  void read_network();
  void schedule_reconnect(const std::string& why);
  void try_to_reconnect();
  void start_rings();
  void stop_rings();

  // vmm_exits.cc: what the guest wants
  void handle_exit();
  void handle_port();
  void write_port(uint16_t port, uint32_t width_bytes, uint32_t value);
  [[nodiscard]] uint32_t read_port(uint16_t port) const;
  void handle_mmio();
  void write_device(uint64_t offset, uint32_t width_bytes, uint64_t value);
  void write_ioapic(uint64_t offset, uint32_t value);
  void idle(uint32_t longest_us);
  [[nodiscard]] std::string describe_failure(const char* what);

  const VmmOptions options_;
  const UniqueFd control_;
  UniqueFd kvm_;
  ExitLog log_;
  std::optional<GuestMemory> memory_;
  ElfImage image_;
  uint64_t command_line_bytes_ = 0;
  std::optional<Vm> vm_;
  std::array<UniqueFd, kNetQueues> kicks_;
  std::array<UniqueFd, kNetQueues> calls_;
  std::optional<VirtioMmio> device_;
  std::optional<VhostFrontEnd> network_;
  Ioapic ioapic_;
  SerialPort serial_;
  uint8_t clock_index_ = 0;
  bool full_chips_ = false;
  bool idles_by_port_ = false;  // the data plane's calls are read here, not by the kernel
  bool rings_used_ = false;     // they ran before: a new connection goes on where they stand
  uint32_t reconnects_left_ = 0;
  VcpuState state_ = VcpuState::kPrepared;
  std::string reason_;
};

// The first line of any VMM: SIGIO and SIGALRM stop the vCPU instead of the process.
void install_signal_handlers();
// The run area of the vCPU that the handlers stop; nullptr: none yet.
void stop_on_signal(kvm_run* run);
// `fd` raises SIGIO when there is something to read.
void raise_signal_when_readable(int fd);

}  // namespace cheshire
