// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The kvm driver with real VMs. Skipped, with the reason, where KVM is missing or does not work.
#include "hypervisor/kvm/kvm_driver.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/hypervisor/with_kvm.h"
#include "tests/support/vhost_stub.h"

namespace cheshire {
namespace {

using KvmDriverTest = WithKvm;

TEST_F(KvmDriverTest, TellsHowEachGuestEnds) {
  struct Case {
    const char* guest;
    const char* words;
  };
  for (const Case& c :
       {Case{"power_off", "guest reset or powered off"}, Case{"crash", "guest crashed (triple fault) 0f 0b"},
        Case{"crash", "last on its console: panic: out of cheese"},
        Case{"kvm_nonsense", "guest set up network queue 0 wrongly: its descriptor table lies outside"},
        Case{"nothing", "could not open kernel"}}) {
    const std::string reason = boot_to_the_end(order_of(c.guest));
    EXPECT_NE(reason.find(c.words), std::string::npos) << c.guest << ": " << reason;
  }
}

TEST_F(KvmDriverTest, NamesTheInstructionThatKvmCannotExecute) {
  const std::string reason = boot_to_the_end(order_of("kvm_sse"));
  const bool ran = reason == "guest reset or powered off";  // a KVM on real hardware
  EXPECT_TRUE(ran || reason.starts_with("this KVM cannot execute 0f 58 c1")) << reason;
}

TEST_F(KvmDriverTest, PreparesRunsPausesResumesAndStops) {
  const BootOrder order = order_of("hello");
  driver_->prepare(order);
  EXPECT_EQ(await_event().kind, DriverEventKind::kSpawned);
  EXPECT_EQ(await_event().kind, DriverEventKind::kPrepared);
  driver_->pause(order.id);  // of a shell: nothing
  driver_->run(order.id);
  driver_->run(order.id);
  driver_->pause(order.id);
  EXPECT_EQ(await_event().kind, DriverEventKind::kPaused);
  driver_->pause(order.id);
  driver_->run(order.id);
  driver_->pause(order.id);
  EXPECT_EQ(await_event().kind, DriverEventKind::kPaused);
  driver_->stop(order.id);
  driver_->stop(order.id);
  const DriverEvent end = await_event();
  EXPECT_EQ(end.kind, DriverEventKind::kExited);
  EXPECT_EQ(end.reason, "stopped");
  driver_->run(order.id);
  driver_->pause(order.id);
  usleep(2000);
  EXPECT_FALSE(driver_->next_event());
}

TEST_F(KvmDriverTest, ObeysOrdersThatComeBeforeTheVmLives) {
  const BootOrder order = order_of("power_off");
  driver_->prepare(order);
  driver_->run(order.id);
  EXPECT_EQ(await_event().kind, DriverEventKind::kSpawned);
  DriverEvent event = await_event();
  if (event.kind == DriverEventKind::kPrepared) event = await_event();
  EXPECT_EQ(event.reason, "guest reset or powered off");
  driver_->boot(order);
  driver_->stop(order.id);
  EXPECT_EQ(await_event().kind, DriverEventKind::kSpawned);
  EXPECT_EQ(await_event().kind, DriverEventKind::kExited);
}

TEST_F(KvmDriverTest, TellsWhatAnInstanceUses) {
  const BootOrder order = order_of("chatter");
  driver_->boot(order);
  EXPECT_EQ(await_event().kind, DriverEventKind::kSpawned);
  std::optional<VmUsage> usage;
  const uint64_t deadline_ns = monotonic_ns() + kTestDeadlineNs;
  while (monotonic_ns() < deadline_ns) {
    usage = driver_->usage(order.id);
    if (usage && usage->exits[static_cast<size_t>(VmExit::kPort)] > 0) break;
    usleep(1000);
  }
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->cpu_ns, 0U);
  EXPECT_GT(usage->memory_bytes, 0U);
  EXPECT_LT(usage->memory_bytes, 8 * kMiB);
  EXPECT_GT(usage->exits[static_cast<size_t>(VmExit::kPort)], 0U);
  EXPECT_FALSE(driver_->usage({{9}, {9}}));
  driver_->stop(order.id);
  EXPECT_EQ(await_event().reason, "stopped");
  EXPECT_FALSE(driver_->usage(order.id));
}

TEST_F(KvmDriverTest, TellsADataPlaneThatIsMissingOrUnfit) {
  BootOrder order = order_of("hello");
  order.vhost_socket = "/nonexistent/vhost.sock";
  EXPECT_EQ(boot_to_the_end(order),
            "vhost-user: cannot connect to /nonexistent/vhost.sock: No such file or directory");
  const VhostStub stub("/tmp/cheshire-test-" + std::to_string(getpid()) + "-kvm.sock",
                       VhostStub::Manner::kAnswers);
  order.vhost_socket = stub.path();
  EXPECT_EQ(boot_to_the_end(order), "vhost-user: the data plane offers no virtio 1, or no protocol features");
}

TEST_F(KvmDriverTest, ReportsAVmThatWasKilledAndLeavesNothing) {
  const BootOrder order = order_of("hello");
  driver_->boot(order);
  const pid_t pid = await_event().pid;
  kill(pid, SIGKILL);
  EXPECT_EQ(await_event().reason, "killed by signal 9");
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(KvmDriverTest, RunsManyAtOnceAndEndsThemWithItself) {
  constexpr uint16_t kVms = 16;
  std::vector<pid_t> pids;
  for (uint16_t slot = 0; slot < kVms; ++slot) driver_->boot(order_of("hello", slot));
  while (pids.size() < kVms) {
    const DriverEvent event = await_event();
    ASSERT_EQ(event.kind, DriverEventKind::kSpawned) << event.reason;
    pids.push_back(event.pid);
  }
  driver_.reset();
  for (const pid_t pid : pids) EXPECT_EQ(kill(pid, 0), -1);
}

TEST(KvmDriver, SaysWhyItCannotBe) {
  const auto driver = KvmDriver::create({.program = "/nonexistent/cheshire-vmm"});
  ASSERT_FALSE(driver);
  EXPECT_EQ(driver.error().what, "/nonexistent/cheshire-vmm cannot be run: No such file or directory");
  const auto wrong = KvmDriver::create({.program = "/bin/false"});
  ASSERT_FALSE(wrong);
}

}  // namespace
}  // namespace cheshire
