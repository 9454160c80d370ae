// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_driver.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "hypervisor/qemu/qemu_binary.h"
#include "hypervisor/qemu/qemu_loop.h"
#include "hypervisor/qemu/qemu_mailbox.h"

namespace cheshire {

void QemuMailbox::post(QemuCommand command) {
  {
    const std::lock_guard lock(mutex);
    commands.push_back(std::move(command));
  }
  const uint64_t one = 1;
  (void)!write(wake.get(), &one,
               sizeof one);  // fails only when the count is full: then it is readable anyway
}

std::deque<QemuCommand> QemuMailbox::take_commands() {
  uint64_t count = 0;
  (void)!read(wake.get(), &count, sizeof count);  // before the queue: a later post wakes us again
  const std::lock_guard lock(mutex);
  return std::exchange(commands, {});
}

void QemuMailbox::tell(DriverEvent event) {
  const std::lock_guard lock(mutex);
  events.push_back(std::move(event));
}

std::optional<DriverEvent> QemuMailbox::next_event() {
  const std::lock_guard lock(mutex);
  if (events.empty()) return std::nullopt;
  DriverEvent event = std::move(events.front());
  events.pop_front();
  return event;
}

void QemuMailbox::describe(std::string text) {
  const std::lock_guard lock(mutex);
  description = std::move(text);
}

Result<std::unique_ptr<QemuDriver>> QemuDriver::create(QemuOptions options) {
  Result<QemuBinary> binary = find_qemu(options.program);
  if (!binary) return binary.error();
  auto mailbox = std::make_unique<QemuMailbox>();
  mailbox->wake.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!mailbox->wake.valid()) {
    return Error{ErrorCode::kUnavailable, std::string("eventfd: ") + std::strerror(errno)};
  }
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

QemuDriver::QemuDriver(std::unique_ptr<QemuMailbox> mailbox) : mailbox_(std::move(mailbox)) {}

QemuDriver::~QemuDriver() {
  if (!thread_.joinable()) return;
  mailbox_->post(ShutdownOrder{});
  thread_.join();
}

std::string QemuDriver::description() const {
  const std::lock_guard lock(mailbox_->mutex);
  return mailbox_->description;
}

void QemuDriver::boot(BootOrder order) {
  mailbox_->post(std::move(order));
}

void QemuDriver::stop(InstanceId id) {
  mailbox_->post(StopOrder{id});
}

std::optional<DriverEvent> QemuDriver::next_event() {
  return mailbox_->next_event();
}

}  // namespace cheshire
