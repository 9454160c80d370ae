// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the tests with real VMs of the kvm driver share. Skipped, with the reason, where KVM is missing or
// does not work.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "hypervisor/kvm/kvm_driver.h"
#include "tests/hypervisor/with_qemu.h"

namespace cheshire {

class WithKvm : public testing::Test {
 protected:
  void SetUp() override {
    if (environment("CHESHIRE_VMM").empty()) GTEST_SKIP() << "run it through meson test";
    make_driver({});
  }
  // Replaces the driver. Skips the test where there can be none.
  void make_driver(KvmOptions options) {
    driver_.reset();
    options.program = environment("CHESHIRE_VMM");
    auto driver = KvmDriver::create(std::move(options));
    if (!driver) GTEST_SKIP() << driver.error().what;
    driver_ = std::move(driver).value();
    std::printf("%s\n", driver_->description().c_str());
  }
  static BootOrder order_of(const std::string& guest, uint16_t slot = 0) {
    return {.id = {{slot}, {1}},
            .name = guest + "/" + std::to_string(slot) + "#1",
            .kernel = environment("CHESHIRE_TEST_GUESTS") + "/" + guest + ".elf",
            .memory_bytes = 8 * kMiB,
            .command_line = "",
            .mac = kGuestMac,
            .vhost_socket = "",
            .accelerator = Accelerator::kAuto};
  }
  DriverEvent await_event() {
    const uint64_t deadline_ns = monotonic_ns() + kTestDeadlineNs;
    while (monotonic_ns() < deadline_ns) {
      if (auto event = driver_->next_event()) return *event;
      usleep(200);
    }
    return {.kind = DriverEventKind::kExited, .reason = "the test waited in vain"};
  }
  std::string boot_to_the_end(const BootOrder& order) {
    driver_->boot(order);
    EXPECT_EQ(await_event().kind, DriverEventKind::kSpawned);
    const DriverEvent end = await_event();
    EXPECT_EQ(end.kind, DriverEventKind::kExited);
    return end.reason;
  }

  std::unique_ptr<KvmDriver> driver_;
};

}  // namespace cheshire
