// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/process/process_driver.h"

#include <signal.h>

#include <system_error>

#include "units.h"

namespace cheshire {

Result<void> ProcessDriver::start_thread(std::unique_ptr<VmLoop> loop) {
  const std::string name = loop->name();
  // The daemon's signal handlers run on other threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::string failure;
  try {
    thread_ = std::thread([running = std::move(loop)] { running->run(); });
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!failure.empty()) return Error{ErrorCode::kUnavailable, name + " driver thread: " + failure};
  return {};
}

ProcessDriver::~ProcessDriver() {
  if (!thread_.joinable()) return;
  mailbox_->post(ShutdownOrder{});
  thread_.join();
}

void ProcessDriver::boot(BootOrder order) {
  mailbox_->post(StartOrder{.boot = std::move(order), .run = true});
}

void ProcessDriver::prepare(BootOrder order) {
  mailbox_->post(StartOrder{.boot = std::move(order), .run = false});
}

void ProcessDriver::run(InstanceId id) {
  mailbox_->post(InstanceOrder{id, InstanceAct::kRun});
}

void ProcessDriver::pause(InstanceId id) {
  mailbox_->post(InstanceOrder{id, InstanceAct::kPause});
}

void ProcessDriver::stop(InstanceId id) {
  mailbox_->post(InstanceOrder{id, InstanceAct::kStop});
}

std::optional<VmUsage> ProcessDriver::usage(InstanceId id) {
  return mailbox_->usage(id, monotonic_ns());
}

}  // namespace cheshire
