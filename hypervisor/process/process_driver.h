// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A Driver whose VMs are processes that a VmLoop on a thread of its own makes and watches. KvmDriver and
// QemuDriver derive and say what they are.
//
//   control thread                        driver thread (one for all VMs of a driver)
//   every order ── mailbox, eventfd ────► VmLoop: epoll: spawn, control sockets, consoles, exits, deadlines
//   next_event(), usage() ◄── events, a table ──┘
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "hypervisor/driver.h"
#include "hypervisor/process/driver_mailbox.h"
#include "hypervisor/process/vm_loop.h"
#include "result.h"

namespace cheshire {

class ProcessDriver : public Driver {
 public:
  // Tells the loop to end every VM, and waits for it.
  ~ProcessDriver() override;

  // Any thread.
  [[nodiscard]] std::string description() const override { return mailbox_->description(); }
  // control thread
  void boot(BootOrder order) override;
  [[nodiscard]] bool has_tiers() const override { return true; }
  void prepare(BootOrder order) override;
  void run(InstanceId id) override;
  void pause(InstanceId id) override;
  void stop(InstanceId id) override;
  [[nodiscard]] std::optional<DriverEvent> next_event() override { return mailbox_->next_event(); }
  [[nodiscard]] std::optional<VmUsage> usage(InstanceId id) override;

 protected:
  explicit ProcessDriver(std::unique_ptr<DriverMailbox> mailbox) : mailbox_(std::move(mailbox)) {}
  // Is called once, before anything else. `loop` was made for our mailbox.
  [[nodiscard]] Result<void> start_thread(std::unique_ptr<VmLoop> loop);
  [[nodiscard]] DriverMailbox& mailbox() { return *mailbox_; }

 private:
  const std::unique_ptr<DriverMailbox> mailbox_;
  std::thread thread_;
};

}  // namespace cheshire
