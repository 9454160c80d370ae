// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the tests with a real QEMU share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "hypervisor/driver.h"
#include "hypervisor/qemu/qemu_binary.h"

namespace cheshire {

// Nothing below should take longer; on a machine that is busy with other things it may.
inline constexpr uint64_t kTestDeadlineNs = 20 * kNsPerSecond;

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Skips the test, and says why, where it cannot run.
class WithQemu : public testing::Test {
 protected:
  void SetUp() override {
    if (environment("CHESHIRE_TEST_GUESTS").empty()) GTEST_SKIP() << "run it through meson test";
    if (const auto qemu = find_qemu("qemu-system-x86_64"); !qemu) GTEST_SKIP() << qemu.error().what;
  }

  static std::string guest(const std::string& name) {
    return environment("CHESHIRE_TEST_GUESTS") + "/" + name + ".elf";
  }
  static std::string socket_path(const std::string& name) {
    return "/tmp/cheshire-test-" + std::to_string(getpid()) + "-" + name + ".sock";
  }
  static BootOrder order_of(const std::string& guest_name, const std::string& vhost_socket,
                            uint16_t slot = 0) {
    return {.id = {{slot}, {1}},
            .name = guest_name + "/" + std::to_string(slot) + "#1",
            .kernel = guest(guest_name),
            .memory_bytes = 32 * kMiB,
            .command_line = "",
            .mac = {{2, 0, 0, 0, 0, 1}},
            .vhost_socket = vhost_socket,
            .accelerator = Accelerator::kTcg};
  }
};

}  // namespace cheshire
