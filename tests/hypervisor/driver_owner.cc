// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// driver_owner KERNEL VHOST_SOCKET [VMM]: boots one VM with QEMU, or with that cheshire-vmm, prints its
// process id, and waits to be killed.

#include <unistd.h>

#include <cstdio>

#include "hypervisor/kvm/kvm_driver.h"
#include "hypervisor/qemu/qemu_driver.h"

namespace {

using namespace cheshire;

std::unique_ptr<Driver> make_driver(const char* vmm) {
  if (vmm != nullptr) {
    auto kvm = KvmDriver::create({.program = vmm});
    return kvm ? std::move(kvm).value() : nullptr;
  }
  auto qemu = QemuDriver::create({});
  return qemu ? std::move(qemu).value() : nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 2;
  const std::unique_ptr<Driver> driver = make_driver(argc == 4 ? argv[3] : nullptr);
  if (driver == nullptr) return 3;
  driver->boot({.id = {{0}, {1}},
                .name = "owned/0#1",
                .kernel = argv[1],
                .memory_bytes = 32 * kMiB,
                .command_line = "",
                .mac = {{2, 0, 0, 0, 0, 1}},
                .vhost_socket = argv[2],
                .accelerator = Accelerator::kTcg});
  while (true) {
    if (const auto event = driver->next_event()) {
      if (event->kind != DriverEventKind::kSpawned) return 4;
      std::printf("%d\n", event->pid);
      std::fflush(stdout);
    }
    usleep(1000);
  }
}
