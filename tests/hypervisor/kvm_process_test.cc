// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The process of a VM: who makes it, what it inherits, what it may do, and when it dies.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>

#include "hypervisor/process/child_process.h"
#include "hypervisor/vmm/sandbox.h"
#include "tests/hypervisor/with_kvm.h"

namespace cheshire {
namespace {

std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string status_line(pid_t pid, const std::string& key) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return line.substr(line.find_last_of(" \t") + 1);
  }
  return "";
}

// Our children that are zygotes.
std::vector<pid_t> zygotes() {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || status_line(pid, "PPid") != std::to_string(getpid())) continue;
    if (text_of_file(entry.path() / "cmdline").find("--zygote") != std::string::npos) found.push_back(pid);
  }
  return found;
}

class KvmProcessTest : public WithKvm {
 protected:
  // Returns when the VM is what it is going to be: it ran, and stands.
  pid_t boot_hello(uint16_t slot = 0) {
    const BootOrder order = order_of("hello", slot);
    driver_->boot(order);
    const DriverEvent event = await_event();
    EXPECT_EQ(event.kind, DriverEventKind::kSpawned) << event.reason;
    driver_->pause(order.id);
    EXPECT_EQ(await_event().kind, DriverEventKind::kPaused);
    return event.pid;
  }
  void stop_hello(uint16_t slot = 0) {
    driver_->stop({{slot}, {1}});
    EXPECT_EQ(await_event().reason, "stopped");
  }
};

TEST_F(KvmProcessTest, IsOurChildAndShowsItsName) {
  const pid_t pid = boot_hello();
  EXPECT_EQ(zygotes().size(), 1U);
  EXPECT_EQ(status_line(pid, "PPid"), std::to_string(getpid()));
  const std::string words = text_of_file("/proc/" + std::to_string(pid) + "/cmdline");
  EXPECT_NE(words.find("--name=hello/0#1"), std::string::npos) << words;
  stop_hello();
}

TEST_F(KvmProcessTest, IsMadeWithoutAZygoteToo) {
  make_driver({.use_zygote = false});
  boot_hello();
  EXPECT_TRUE(zygotes().empty());
  stop_hello();
}

TEST_F(KvmProcessTest, AZygoteThatDiesIsReplacedAndNoVmIsLost) {
  boot_hello(0);
  ASSERT_EQ(zygotes().size(), 1U);
  const pid_t before = zygotes().front();
  kill(before, SIGKILL);
  boot_hello(1);
  boot_hello(2);
  const auto after = zygotes();
  ASSERT_EQ(after.size(), 1U);
  EXPECT_NE(after.front(), before);
  for (uint16_t slot = 0; slot < 3; ++slot) stop_hello(slot);
}

TEST_F(KvmProcessTest, InheritsNothingThatIsNotForIt) {
  boot_hello(0);
  const pid_t pid = boot_hello(1);
  std::map<std::string, int> kinds;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::string target = std::filesystem::read_symlink(entry.path());
    // "pipe:[123]"
    ++kinds[target.substr(0, target.find(":["))];
  }
  const std::map<std::string, int> wanted = {{"/dev/null", 1},
                                             {"pipe", 2},
                                             {"socket", 1},  // control
                                             {"/dev/kvm", 1},
                                             {"/memfd:cpuid (deleted)", 1},
                                             {"/memfd:guest (deleted)", 1},
                                             {"anon_inode", 4},
                                             {"anon_inode:kvm-vm", 1},
                                             {"anon_inode:kvm-vcpu:0", 1}};
  EXPECT_EQ(kinds, wanted);
  stop_hello(0);
  stop_hello(1);
}

TEST_F(KvmProcessTest, IsInItsSandbox) {
  const pid_t pid = boot_hello();
  const std::string mode = status_line(pid, "Seccomp");
  if (mode == "0") GTEST_SKIP() << "a build with a sanitizer has no sandbox";
  EXPECT_EQ(mode, "2");
  EXPECT_EQ(status_line(pid, "NoNewPrivs"), "1");
  stop_hello();
}

TEST_F(KvmProcessTest, DiesWithItsDaemon) {
  const std::string owner = environment("CHESHIRE_DRIVER_OWNER");
  const std::string kernel = environment("CHESHIRE_TEST_GUESTS") + "/hello.elf";
  Result<ChildProcess> daemon = ChildProcess::spawn(
      {.program = owner, .arguments = {owner, kernel, "", environment("CHESHIRE_VMM")}, .inherited = {}});
  ASSERT_TRUE(daemon) << daemon.error().what;
  pollfd answer{.fd = daemon.value().out(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&answer, 1, kTestDeadlineNs / kNsPerMs), 1);
  std::array<char, 32> text{};
  ASSERT_GT(read(daemon.value().out(), text.data(), text.size() - 1), 0);
  const UniqueFd vm(static_cast<int>(syscall(SYS_pidfd_open, std::atoi(text.data()), 0)));
  ASSERT_TRUE(vm.valid());
  daemon.value().kill();
  pollfd gone{.fd = vm.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&gone, 1, kTestDeadlineNs / kNsPerMs), 1) << "the VM outlived its daemon";
}

// What the filter forbids and allows, each in a child of its own, which ends with status 0 if it lives.
// prctl() is not on the list: a child that the filter should have killed and that does not exist is one of a
// sanitizer's build.
struct SandboxCase {
  const char* what;
  long (*act)();
  bool allowed;
};
void* map_page(int protection) {
  return mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
const SandboxCase kSandboxCases[] = {
    {"nothing", [] { return 0L; }, true},
    {"the time", [] { return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, nullptr); }, true},
    {"memory", [] { return map_page(PROT_READ | PROT_WRITE) == MAP_FAILED ? 1L : 0L; }, true},
    {"a local socket", [] { return long{socket(AF_UNIX, SOCK_STREAM, 0)}; }, true},
    {"memory to execute", [] { return map_page(PROT_READ | PROT_EXEC) == MAP_FAILED ? 1L : 0L; }, false},
    {"a file", [] { return long{open("/etc/hostname", O_RDONLY)}; }, false},
    {"a network socket", [] { return long{socket(AF_INET, SOCK_STREAM, 0)}; }, false},
    {"an ioctl of others", [] { return long{ioctl(0, TIOCGWINSZ, nullptr)}; }, false},
    {"a process", [] { return long{fork()}; }, false},
    {"a program", [] { return long{execl("/bin/true", "true", nullptr)}; }, false},
    {"more rights", [] { return long{setuid(0)}; }, false},
    {"a number of the x32 kind", [] { return syscall(0x40000000L + SYS_getpid); }, false},
};

TEST(Sandbox, KillsWhoeverAsksForMore) {
  for (const SandboxCase& c : kSandboxCases) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      const rlimit no_core{0, 0};
      setrlimit(RLIMIT_CORE, &no_core);
      if (!enter_sandbox()) _exit(2);
      (void)c.act();
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    if (!c.allowed && !killed && sandbox_is_left_out())
      GTEST_SKIP() << "a build with a sanitizer has no sandbox";
    EXPECT_EQ(killed, !c.allowed) << c.what << ", status " << status;
    if (c.allowed) {
      EXPECT_EQ(status, 0) << c.what;
    }
  }
}

}  // namespace
}  // namespace cheshire
