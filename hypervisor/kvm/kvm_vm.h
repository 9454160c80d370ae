// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One cheshire-vmm process, seen from the driver's thread: its descriptors, its reports, what it uses, and
// the reason of its end. on_ready() when a descriptor has something, on_time() when due_ns() is past. Never
// blocks.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "hypervisor/driver.h"
#include "hypervisor/process/child_process.h"
#include "hypervisor/process/guest_output.h"
#include "hypervisor/process/process_usage.h"
#include "hypervisor/vmm_messages/control_message.h"
#include "result.h"

namespace cheshire {

class ZygoteLink;

// What all VMs of a driver share.
struct VmmProgram {
  std::string path;
  int kvm_fd = -1;
  int cpuid_fd = -1;
  bool idles_by_port = false;
};

class KvmVm {
 public:
  enum class Source : uint8_t { kProcess, kSerial, kStderr, kControl };
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  // With `run`, the order to run lies in its socket before it lives: no round trip. The calling thread must
  // outlive the VM (child_process.h). nullptr for the zygote: the program is executed, which takes longer.
  static Result<std::unique_ptr<KvmVm>> start(const BootOrder& order, const VmmProgram& program,
                                              ZygoteLink* zygote, bool run);

  [[nodiscard]] InstanceId id() const { return id_; }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  [[nodiscard]] int descriptor(Source source) const;
  // False if this source has ended and is to be watched no more.
  [[nodiscard]] bool on_ready(Source source, uint64_t now_ns);
  [[nodiscard]] uint64_t due_ns() const { return kill_at_ns_; }
  void on_time(uint64_t now_ns);

  void send(VmmOrderKind kind) { send(control_.get(), kind); }
  static void send(int control, VmmOrderKind kind);
  // Asks the VMM to stop, and kills it if it is still there after the grace time.
  void stop(uint64_t now_ns, uint64_t grace_ns);
  void kill() { child_.kill(); }

  // kPrepared and kPaused as they were reported; emptied by the caller.
  [[nodiscard]] std::deque<DriverEventKind>& news() { return news_; }
  // Reads what is cheap, and asks the VMM for the rest, to be had the next time.
  [[nodiscard]] VmUsage look_at_usage();
  [[nodiscard]] std::optional<VmmTrace> take_trace() { return std::exchange(trace_, std::nullopt); }
  // Set once the process is reaped, for DriverEvent::reason.
  [[nodiscard]] const std::optional<std::string>& exit_reason() const { return exit_reason_; }

 private:
  KvmVm(const BootOrder& order, ChildProcess child, UniqueFd control, bool tells_prepared);
  bool drain(Source source, int reads_max, uint64_t now_ns);
  bool read_reports();
  void on_report(const VmmReport& report);
  void on_process_ended(uint64_t now_ns);
  [[nodiscard]] std::string explain(const ExitStatus& status) const;

  const InstanceId id_;
  ChildProcess child_;
  UniqueFd control_;
  const bool tells_prepared_;
  SerialLog serial_;
  LastWords stderr_;
  ProcessUsage process_;
  VmUsage usage_;
  std::deque<DriverEventKind> news_;
  std::optional<VmmTrace> trace_;
  bool stop_ordered_ = false;
  uint64_t kill_at_ns_ = kNever;
  std::string said_;  // by the VMM, about its end
  std::optional<std::string> exit_reason_;
};

}  // namespace cheshire
