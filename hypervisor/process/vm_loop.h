// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The thread of a driver: waits for orders, for what the VMs' descriptors bring and for deadlines, and
// tells events. What all kinds of VM have in common is here; KvmLoop and QemuLoop say how a VM is made, and
// what else there is to do in a turn. Everything belongs to the thread that calls run(), once it has called
// it.
//
//   a turn:  wait (epoll)  →  what descriptors brought  →  orders  →  deadlines and usage  →  on_turn()
//
// The thread is the parent of every VM: when it ends, however the daemon dies, the kernel kills them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "handle.h"
#include "hypervisor/process/driver_mailbox.h"
#include "hypervisor/process/usage_pace.h"
#include "hypervisor/process/vm_process.h"
#include "result.h"

namespace cheshire {

// What every driver that runs VMs as processes chooses.
struct VmLoopOptions {
  std::string name;            // "kvm": the thread is "kvm-driver"
  std::string program_title;   // "QEMU": what a VM's process is called where one could not be started
  uint64_t stop_grace_ns = 0;  // from the order to end to SIGKILL
  std::vector<uint32_t> cpus;  // of the thread and the VMs; empty: those of the creating thread
};

class VmLoop {
 public:
  VmLoop(const VmLoop&) = delete;
  VmLoop& operator=(const VmLoop&) = delete;
  virtual ~VmLoop() = default;

  // The thread's whole life: returns after a ShutdownOrder, when every VM is gone.
  void run();
  // Names the thread, and the driver in errors.
  [[nodiscard]] const std::string& name() const { return options_.name; }

 protected:
  // Names a VM towards epoll. Never used twice, so a late event of a VM that is gone finds nobody.
  using Serial = uint64_t;
  static constexpr Serial kNoVm = 0;  // the mailbox

  // `mailbox` must outlive run(). An epoll that watches it, for the constructor.
  [[nodiscard]] static Result<UniqueFd> watch_mailbox(const DriverMailbox& mailbox);
  VmLoop(VmLoopOptions options, DriverMailbox& mailbox, UniqueFd epoll);

  // What the kind of VM adds. Makes the VM of an order, or keeps the order for later; comes out as add() or
  // post_exit(), once.
  virtual void start(StartOrder order, uint64_t now_ns) = 0;
  // Called before the first turn, and at the end of each.
  virtual void on_begin() {}
  virtual void on_turn() {}
  // An order for an instance without a VM, which may wait to be started.
  virtual void carry_out_without_vm(const InstanceOrder&) {}
  // No order comes after this one; every VM was killed.
  virtual void on_shutdown() {}
  // A VM that is watched and is nobody's instance, and the deadline that goes with it.
  [[nodiscard]] virtual VmProcess* find_unlisted(Serial) const { return nullptr; }
  [[nodiscard]] virtual bool has_unlisted() const { return false; }
  [[nodiscard]] virtual uint64_t unlisted_due_ns() const { return VmProcess::kNever; }

  // The VM of an order, turned to at `began_ns`: it is watched and kSpawned is told. Where there is none,
  // or it cannot be watched, kExited is told.
  void add(InstanceId id, uint64_t began_ns, Result<std::unique_ptr<VmProcess>> vm);
  // Puts the VM's descriptors on epoll. False: errno says why.
  [[nodiscard]] bool watch(Serial serial, const VmProcess& vm);
  [[nodiscard]] Serial next_serial() { return ++last_serial_; }
  void post_exit(InstanceId id, std::string reason);
  [[nodiscard]] bool is_shutting_down() const { return shutting_down_; }
  [[nodiscard]] DriverMailbox& mailbox() { return mailbox_; }

 private:
  void set_cpu_affinity() const;
  [[nodiscard]] bool has_vms() const;
  void wait_for_events();
  [[nodiscard]] int wait_ms(uint64_t now_ns) const;
  void on_ready(uint64_t key, uint64_t now_ns);
  void take_orders(uint64_t now_ns);
  void carry_out(const InstanceOrder& order, uint64_t now_ns);
  void on_time(uint64_t now_ns);
  void remove(Serial serial);
  void post_event(DriverEventKind kind, InstanceId id, std::string reason);

  const VmLoopOptions options_;
  DriverMailbox& mailbox_;
  const UniqueFd epoll_;
  Serial last_serial_ = kNoVm;
  std::map<Serial, std::unique_ptr<VmProcess>> vms_;
  std::map<InstanceId, Serial> serial_of_;
  UsagePace usage_pace_;
  bool shutting_down_ = false;
};

}  // namespace cheshire
