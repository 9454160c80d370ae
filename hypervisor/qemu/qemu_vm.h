// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One QEMU process: its descriptors, its QMP connection, and the reason of its end. Lives on the driver's
// thread, which calls on_ready() when one of the descriptors has something, and on_time() when due_ns() is
// past. Never blocks.
#pragma once

#include <array>
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
#include "hypervisor/qemu/qemu_command_line.h"
#include "hypervisor/qemu/qmp_client.h"
#include "result.h"

namespace cheshire {

class QemuVm {
 public:
  enum class Source : uint8_t { kProcess, kSerial, kStderr, kQmp };
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  // The calling thread must outlive the VM (child_process.h).
  static Result<std::unique_ptr<QemuVm>> start(const BootOrder& order, const QemuLaunch& launch);

  [[nodiscard]] const BootOrder& order() const { return order_; }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  [[nodiscard]] int descriptor(Source source) const;

  // False if this source has ended and is to be watched no more.
  [[nodiscard]] bool on_ready(Source source, uint64_t now_ns);
  [[nodiscard]] uint64_t due_ns() const { return kill_at_ns_; }
  void on_time(uint64_t now_ns);

  // Orders lie in QEMU's socket until it takes them, in sequence.
  void run() { (void)qmp_.execute("cont"); }
  void pause();
  // kPrepared and kPaused as QEMU told them; emptied by the caller.
  [[nodiscard]] std::deque<DriverEventKind>& news() { return news_; }
  // nullopt until QEMU has told which thread is the vCPU's. What it cannot know is zero.
  [[nodiscard]] std::optional<VmUsage> look_at_usage() const;
  // Asks QEMU to quit, and kills it if it is still there after the grace time.
  void stop(uint64_t now_ns, uint64_t grace_ns);
  void kill() { child_.kill(); }
  [[nodiscard]] QmpClient& qmp() { return qmp_; }

  // Set once the process is reaped: how it ended, for DriverEvent::reason.
  [[nodiscard]] const std::optional<std::string>& exit_reason() const { return exit_reason_; }
  // The same without our part in it: QEMU's own words where it said any.
  [[nodiscard]] std::string words() const;

 private:
  QemuVm(const BootOrder& order, ChildProcess child, UniqueFd qmp_socket, bool paused);
  bool drain(Source source, int reads_max, uint64_t now_ns);
  void on_qmp_event(std::string_view event, const QmpClient::Json& data);
  void ask_whether_it_runs();
  void ask_for_vcpu_thread();
  void on_process_ended(uint64_t now_ns);
  [[nodiscard]] std::string explain(const ExitStatus& status) const;

  const BootOrder order_;
  ChildProcess child_;
  QmpClient qmp_;
  SerialLog serial_;
  LastWords stderr_;
  std::deque<DriverEventKind> news_;
  std::optional<ProcessUsage> usage_;  // of the vCPU's thread
  bool stop_ordered_ = false;
  uint64_t kill_at_ns_ = kNever;
  std::string guest_end_;  // what QMP said about the guest's end; empty: nothing
  std::optional<std::string> exit_reason_;
};

}  // namespace cheshire
