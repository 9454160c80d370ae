// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// driver_owner KERNEL VHOST_SOCKET: boots one VM, prints its process id, and waits to be killed.

#include <unistd.h>

#include <cstdio>

#include "hypervisor/qemu/qemu_driver.h"

int main(int argc, char** argv) {
  using namespace cheshire;
  if (argc != 3) return 2;
  Result<std::unique_ptr<QemuDriver>> driver = QemuDriver::create({});
  if (!driver) return 3;
  driver.value()->boot({.id = {{0}, {1}},
                        .name = "owned/0#1",
                        .kernel = argv[1],
                        .memory_bytes = 32 * kMiB,
                        .command_line = "",
                        .mac = {{2, 0, 0, 0, 0, 1}},
                        .vhost_socket = argv[2],
                        .accelerator = Accelerator::kTcg});
  while (true) {
    if (const auto event = driver.value()->next_event()) {
      if (event->kind != DriverEventKind::kSpawned) return 4;
      std::printf("%d\n", event->pid);
      std::fflush(stdout);
    }
    usleep(1000);
  }
}
