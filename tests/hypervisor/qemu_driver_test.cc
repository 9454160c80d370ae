// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_driver.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>

#include "hypervisor/process/child_process.h"
#include "log.h"
#include "tests/hypervisor/with_qemu.h"
#include "tests/support/vhost_stub.h"

namespace cheshire {
namespace {

using Manner = VhostStub::Manner;

size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

bool is_there(pid_t pid) {
  return kill(pid, 0) == 0;
}

class QemuDriverTest : public WithQemu {
 protected:
  static std::unique_ptr<QemuDriver> make_driver(QemuOptions options = {}) {
    Result<std::unique_ptr<QemuDriver>> driver = QemuDriver::create(std::move(options));
    EXPECT_TRUE(driver) << driver.error().what;
    return std::move(driver).value();
  }

  // The next event, as a control thread would see it; a made-up one if there is none for long.
  static DriverEvent await_event(QemuDriver& driver) {
    const uint64_t deadline_ns = monotonic_ns() + kTestDeadlineNs;
    while (monotonic_ns() < deadline_ns) {
      if (auto event = driver.next_event()) return *event;
      usleep(200);
    }
    return {.kind = DriverEventKind::kExited, .reason = "the test waited in vain"};
  }
  static pid_t await_spawn(QemuDriver& driver) {
    const DriverEvent event = await_event(driver);
    EXPECT_EQ(event.kind, DriverEventKind::kSpawned) << event.reason;
    return event.pid;
  }
  static std::string await_exit(QemuDriver& driver) {
    const DriverEvent event = await_event(driver);
    EXPECT_EQ(event.kind, DriverEventKind::kExited);
    return event.reason;
  }
};

TEST_F(QemuDriverTest, BootsAGuestAndStopsItWhenAsked) {
  const VhostStub data_plane(socket_path("boot"), Manner::kAnswers);
  const auto driver = make_driver();
  const BootOrder order = order_of("hello", data_plane.path());
  driver->boot(order);
  const pid_t pid = await_spawn(*driver);
  EXPECT_TRUE(is_there(pid));
  driver->stop(order.id);
  driver->stop(order.id);
  EXPECT_EQ(await_exit(*driver), "stopped");
  EXPECT_FALSE(is_there(pid));
  driver->stop(order.id);
  EXPECT_FALSE(driver->next_event());
}

TEST_F(QemuDriverTest, QuitsInTimeAfterTheGuestIsUp) {
  const VhostStub data_plane(socket_path("quit"), Manner::kAnswers);
  const auto driver = make_driver({.stop_grace_ns = kTestDeadlineNs});  // only QMP can end it in time
  const BootOrder order = order_of("hello", data_plane.path());
  driver->boot(order);
  (void)await_spawn(*driver);
  driver->stop(order.id);
  EXPECT_EQ(await_exit(*driver), "stopped");
}

TEST_F(QemuDriverTest, KillsAVmThatDoesNotHearTheQuestion) {
  const VhostStub data_plane(socket_path("mute"), Manner::kMute);
  const auto driver = make_driver();
  const BootOrder order = order_of("hello", data_plane.path());
  driver->boot(order);
  const pid_t pid = await_spawn(*driver);
  kill(pid, SIGSTOP);
  driver->stop(order.id);
  EXPECT_EQ(await_exit(*driver), "stopped");
  EXPECT_FALSE(is_there(pid));
}

TEST_F(QemuDriverTest, ReportsAQemuThatCannotStartInItsOwnWords) {
  const auto driver = make_driver();
  driver->boot(order_of("hello", "/nonexistent/vhost.sock"));
  (void)await_spawn(*driver);
  const std::string reason = await_exit(*driver);
  EXPECT_TRUE(reason.starts_with("exit status 1: ")) << reason;
  EXPECT_NE(reason.find("No such file or directory"), std::string::npos) << reason;
}

TEST_F(QemuDriverTest, ReportsAVmThatWasKilled) {
  const VhostStub data_plane(socket_path("killed"), Manner::kAnswers);
  const auto driver = make_driver();
  driver->boot(order_of("hello", data_plane.path()));
  kill(await_spawn(*driver), SIGKILL);
  EXPECT_EQ(await_exit(*driver), "killed by signal 9");
}

TEST_F(QemuDriverTest, ReportsAGuestThatCrashedWithTheLastLineOfItsConsole) {
  const VhostStub data_plane(socket_path("crash"), Manner::kAnswers);
  const auto driver = make_driver();
  driver->boot(order_of("crash", data_plane.path()));
  (void)await_spawn(*driver);
  EXPECT_EQ(await_exit(*driver),
            "guest reset or crashed (QEMU does not tell which); last on its console: panic: out of cheese");
}

TEST_F(QemuDriverTest, ReportsAGuestThatPoweredItselfOff) {
  const VhostStub data_plane(socket_path("off"), Manner::kAnswers);
  const auto driver = make_driver();
  driver->boot(order_of("power_off", data_plane.path()));
  (void)await_spawn(*driver);
  EXPECT_EQ(await_exit(*driver), "guest reset or crashed (QEMU does not tell which)");
}

TEST_F(QemuDriverTest, SurvivesAGuestThatFloodsItsConsole) {
  const VhostStub data_plane(socket_path("flood"), Manner::kAnswers);
  const auto driver = make_driver();
  driver->boot(order_of("chatter", data_plane.path(), 0));
  driver->boot(order_of("hello", data_plane.path(), 1));
  (void)await_spawn(*driver);
  (void)await_spawn(*driver);
  usleep(100'000);
  for (const uint16_t slot : {uint16_t{1}, uint16_t{0}}) {
    driver->stop({{slot}, {1}});
    EXPECT_EQ(await_exit(*driver), "stopped");
  }
}

TEST_F(QemuDriverTest, RunsManyAtOnceAndLeavesNothingBehind) {
  constexpr uint16_t kVms = 16;
  const size_t before = open_descriptors();
  std::vector<pid_t> pids;
  {
    const VhostStub data_plane(socket_path("many"), Manner::kMute);
    const auto driver = make_driver();
    for (uint16_t slot = 0; slot < kVms; ++slot) driver->boot(order_of("hello", data_plane.path(), slot));
    for (uint16_t slot = 0; slot < kVms; ++slot) pids.push_back(await_spawn(*driver));
    for (uint16_t slot = 0; slot < kVms / 2; ++slot) driver->stop({{slot}, {1}});
    for (uint16_t slot = 0; slot < kVms / 2; ++slot) EXPECT_EQ(await_exit(*driver), "stopped");
  }
  EXPECT_TRUE(std::none_of(pids.begin(), pids.end(), is_there));
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(QemuDriverTest, KeepsItsVmsOnTheCpusItWasGiven) {
  const VhostStub data_plane(socket_path("cpus"), Manner::kMute);
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  uint32_t last = CPU_SETSIZE - 1;
  while (!CPU_ISSET(last, &allowed)) --last;
  const auto driver = make_driver({.cpus = {last}});
  driver->boot(order_of("hello", data_plane.path()));
  cpu_set_t given;
  ASSERT_EQ(sched_getaffinity(await_spawn(*driver), sizeof given, &given), 0);
  EXPECT_EQ(CPU_COUNT(&given), 1);
  EXPECT_TRUE(CPU_ISSET(last, &given));
}

TEST_F(QemuDriverTest, ChoosesTheAcceleratorByTryingAndSaysWhich) {
  const VhostStub data_plane(socket_path("auto"), Manner::kAnswers);
  const BootOrder probe = order_of("hello", "");
  const auto driver = make_driver({.probe = probe});
  BootOrder order = order_of("hello", data_plane.path());
  order.accelerator = Accelerator::kAuto;
  driver->boot(order);
  EXPECT_TRUE(is_there(await_spawn(*driver)));
  const std::string description = driver->description();
  EXPECT_TRUE(description.ends_with("accel kvm") ||
              description.find("accel tcg (kvm does not work here: ") != std::string::npos)
      << description;
  std::printf("%s\n", description.c_str());
}

TEST_F(QemuDriverTest, CanStopAnOrderThatWaitsForTheVerdict) {
  const auto driver = make_driver();
  BootOrder order = order_of("hello", "/nonexistent/vhost.sock");
  order.accelerator = Accelerator::kAuto;
  driver->boot(order);
  driver->stop(order.id);
  EXPECT_EQ(await_exit(*driver), "stopped");
}

TEST_F(QemuDriverTest, NoVmSurvivesItsDaemon) {
  const VhostStub data_plane(socket_path("orphan"), Manner::kAnswers);
  const std::string owner = environment("CHESHIRE_DRIVER_OWNER");
  Result<ChildProcess> daemon = ChildProcess::spawn(
      {.program = owner, .arguments = {owner, guest("hello"), data_plane.path()}, .inherited = {}});
  ASSERT_TRUE(daemon) << daemon.error().what;
  pollfd answer{.fd = daemon.value().out(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&answer, 1, kTestDeadlineNs / kNsPerMs), 1);
  std::array<char, 32> text{};
  ASSERT_GT(read(daemon.value().out(), text.data(), text.size() - 1), 0);
  const pid_t pid = std::atoi(text.data());
  ASSERT_GT(pid, 0);
  const UniqueFd vm(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  ASSERT_TRUE(vm.valid());
  daemon.value().kill();
  pollfd gone{.fd = vm.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&gone, 1, kTestDeadlineNs / kNsPerMs), 1) << "process " << pid << " outlived its daemon";
}

// What QEMU would not do on this machine, played by a script.
class ScriptedQemuTest : public QemuDriverTest {
 protected:
  void SetUp() override {
    if (environment("CHESHIRE_SCRIPTED_QEMU").empty()) GTEST_SKIP() << "run it through meson test";
  }
  static std::unique_ptr<QemuDriver> scripted_driver() {
    return make_driver({.program = environment("CHESHIRE_SCRIPTED_QEMU")});
  }
  static BootOrder behaving(const std::string& behaviour, Accelerator accelerator) {
    BootOrder order = order_of("hello", "");
    order.command_line = behaviour;
    order.accelerator = accelerator;
    return order;
  }
};

TEST_F(ScriptedQemuTest, EndsAGuestThatKvmCannotRunAndSaysSo) {
  for (const char* behaviour : {"internal-error-at-once", "internal-error-later"}) {
    const auto driver = scripted_driver();
    driver->boot(behaving(behaviour, Accelerator::kKvm));
    (void)await_spawn(*driver);
    EXPECT_EQ(await_exit(*driver), "guest halted by internal-error: KVM internal error. Suberror: 1")
        << behaviour;
  }
}

TEST_F(ScriptedQemuTest, KillsAQemuThatAgreesToQuitAndDoesNot) {
  const auto driver = scripted_driver();
  const BootOrder order = behaving("never-quits", Accelerator::kTcg);
  driver->boot(order);
  const pid_t pid = await_spawn(*driver);
  driver->stop(order.id);
  EXPECT_EQ(await_exit(*driver), "stopped");
  EXPECT_FALSE(is_there(pid));
}

TEST_F(ScriptedQemuTest, TakesKvmWhereItWorks) {
  const auto driver = scripted_driver();
  const BootOrder order = behaving("works", Accelerator::kAuto);
  driver->boot(order);
  (void)await_spawn(*driver);
  EXPECT_EQ(driver->description(), "qemu 7.2.99, accel kvm");
}

TEST_F(ScriptedQemuTest, TakesTcgWhereKvmHaltsTheGuest) {
  const auto driver = scripted_driver();
  driver->boot(behaving("internal-error-later", Accelerator::kAuto));
  (void)await_spawn(*driver);
  EXPECT_EQ(driver->description(),
            "qemu 7.2.99, accel tcg (kvm does not work here: KVM internal error. Suberror: 1)");
}

TEST(QemuDriver, NamesTheRemedyWhenQemuIsNotInstalled) {
  const auto driver = QemuDriver::create({.program = "qemu-system-nonexistent"});
  ASSERT_FALSE(driver);
  EXPECT_EQ(driver.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(driver.error().what,
            "qemu-system-nonexistent is not there: install Debian's package qemu-system-x86");
}

TEST(QemuDriver, SaysThatAProgramIsNotQemu) {
  const auto driver = QemuDriver::create({.program = "/bin/false"});
  ASSERT_FALSE(driver);
  EXPECT_NE(driver.error().what.find("does not answer as QEMU would: exit status 1"), std::string::npos)
      << driver.error().what;
}

}  // namespace
}  // namespace cheshire
