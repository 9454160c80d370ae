// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_driver.h"

#include "hypervisor/qemu/qemu_binary.h"
#include "hypervisor/qemu/qemu_loop.h"

namespace cheshire {

Result<std::unique_ptr<QemuDriver>> QemuDriver::create(QemuOptions options) {
  Result<QemuBinary> binary = find_qemu(options.program);
  if (!binary) return binary.error();
  auto mailbox = DriverMailbox::create();
  if (!mailbox) return mailbox.error();
  Result<std::unique_ptr<VmLoop>> loop =
      QemuLoop::create(std::move(options), std::move(binary).value(), *mailbox.value());
  if (!loop) return loop.error();
  std::unique_ptr<QemuDriver> driver(new QemuDriver(std::move(mailbox).value()));
  if (Result<void> started = driver->start_thread(std::move(loop).value()); !started) return started.error();
  return driver;
}

}  // namespace cheshire
