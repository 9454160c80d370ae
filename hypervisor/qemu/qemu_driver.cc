// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_driver.h"

#include <signal.h>

#include <system_error>

#include "hypervisor/process/driver_mailbox.h"
#include "hypervisor/qemu/qemu_binary.h"
#include "hypervisor/qemu/qemu_loop.h"

namespace cheshire {

Result<std::unique_ptr<QemuDriver>> QemuDriver::create(QemuOptions options) {
  Result<QemuBinary> binary = find_qemu(options.program);
  if (!binary) return binary.error();
  auto made = DriverMailbox::create();
  if (!made) return made.error();
  std::unique_ptr<DriverMailbox> mailbox = std::move(made).value();
  Result<std::unique_ptr<QemuLoop>> loop =
      QemuLoop::create(std::move(options), std::move(binary).value(), *mailbox);
  if (!loop) return loop.error();
  std::unique_ptr<QemuDriver> driver(new QemuDriver(std::move(mailbox)));

  // The daemon's signal handlers run on other threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::string failure;
  try {
    driver->thread_ = std::thread([running = std::move(loop).value()] { running->run(); });
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!failure.empty()) return Error{ErrorCode::kUnavailable, "qemu driver thread: " + failure};
  return driver;
}

QemuDriver::QemuDriver(std::unique_ptr<DriverMailbox> mailbox) : mailbox_(std::move(mailbox)) {}

QemuDriver::~QemuDriver() {
  if (!thread_.joinable()) return;
  mailbox_->post(ShutdownOrder{});
  thread_.join();
}

std::string QemuDriver::description() const {
  return mailbox_->description();
}

void QemuDriver::boot(BootOrder order) {
  mailbox_->post(StartOrder{.boot = std::move(order), .run = true});
}

void QemuDriver::prepare(BootOrder order) {
  mailbox_->post(StartOrder{.boot = std::move(order), .run = false});
}

void QemuDriver::run(InstanceId id) {
  mailbox_->post(InstanceOrder{id, InstanceAct::kRun});
}

void QemuDriver::pause(InstanceId id) {
  mailbox_->post(InstanceOrder{id, InstanceAct::kPause});
}

void QemuDriver::stop(InstanceId id) {
  mailbox_->post(InstanceOrder{id, InstanceAct::kStop});
}

std::optional<DriverEvent> QemuDriver::next_event() {
  return mailbox_->next_event();
}

std::optional<VmUsage> QemuDriver::usage(InstanceId id) {
  return mailbox_->usage(id, monotonic_ns());
}

}  // namespace cheshire
