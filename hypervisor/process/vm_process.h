// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The process of one VM, whatever runs in it: its descriptors, its console and complaints, and its end.
// What is said over its control socket, and how its end is explained, is a matter of the kind of VM: KvmVm
// and QemuVm derive.
//
// Belongs to the driver's thread (vm_loop.h), which calls on_ready() when a descriptor has something and
// on_time() when due_ns() is past. Never blocks. How much is read in one turn is bounded, since the process
// is not trusted.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>

#include "hypervisor/driver.h"
#include "hypervisor/process/child_process.h"
#include "hypervisor/process/guest_output.h"

namespace cheshire {

class VmProcess {
 public:
  enum class Source : uint8_t { kProcess, kSerial, kStderr, kControl };
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  VmProcess(const VmProcess&) = delete;
  VmProcess& operator=(const VmProcess&) = delete;
  // Kills the process if it still runs, and waits for it.
  virtual ~VmProcess() = default;

  [[nodiscard]] InstanceId id() const { return id_; }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  // -1: there is none, or no longer.
  [[nodiscard]] int descriptor(Source source) const;
  // False if this source has ended and is to be watched no more.
  [[nodiscard]] bool on_ready(Source source, uint64_t now_ns);
  // When on_time() has something to do; kNever: not before something else happens.
  [[nodiscard]] uint64_t due_ns() const { return kill_at_ns_; }
  void on_time(uint64_t now_ns);

  // Orders lie in the control socket until the process takes them, in sequence.
  virtual void run() = 0;
  virtual void pause() = 0;
  // Asks the process to end, and kills it if it is still there after the grace time.
  void stop(uint64_t now_ns, uint64_t grace_ns);
  void kill() { child_.kill(); }

  // A descriptor that takes orders from the control thread as well (driver_mailbox.h); -1: there is none.
  [[nodiscard]] virtual int order_link() const { return -1; }
  // What it has used. Reads what is cheap, and may ask the process for the rest, to be had the next time.
  // nullopt: not known yet.
  [[nodiscard]] virtual std::optional<VmUsage> measure_usage() = 0;
  // kPrepared and kPaused as the process reported them, oldest first; each is returned once.
  [[nodiscard]] std::deque<DriverEventKind> take_reported() { return std::exchange(reported_, {}); }
  // Set once the process is reaped: how it ended, for DriverEvent::reason.
  [[nodiscard]] const std::optional<std::string>& exit_reason() const { return exit_reason_; }

 protected:
  VmProcess(const BootOrder& order, ChildProcess child);

  // The control socket: its descriptor, what to do when it is readable (false once the other end is
  // closed), and the order to end (false if it could not be given, then the process is killed at once).
  [[nodiscard]] virtual int control_fd() const = 0;
  [[nodiscard]] virtual bool read_control() = 0;
  [[nodiscard]] virtual bool ask_to_end() = 0;
  // The reason of an end that we did not order.
  [[nodiscard]] virtual std::string explain(const ExitStatus& status) const = 0;

  void report_event(DriverEventKind kind) { reported_.push_back(kind); }
  // Non-empty lines of its standard error, in one.
  [[nodiscard]] std::string complaints() const { return stderr_.text(); }
  // A guest that ends itself says why, if anywhere, on its console: the reason with that line, if there is
  // one.
  [[nodiscard]] std::string with_last_console_line(std::string reason) const;

 private:
  [[nodiscard]] bool read_output(Source source, int reads_max, uint64_t now_ns);
  void on_process_ended(uint64_t now_ns);

  const InstanceId id_;
  ChildProcess child_;
  SerialLog serial_;
  LastWords stderr_;
  std::deque<DriverEventKind> reported_;
  bool end_ordered_ = false;
  uint64_t kill_at_ns_ = kNever;
  std::optional<std::string> exit_reason_;
};

}  // namespace cheshire
