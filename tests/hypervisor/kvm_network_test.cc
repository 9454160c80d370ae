// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// VMs with a data plane that is a process of its own (vhost_peer.cc): it may be killed, and guests made for other
// machines may be connected to it.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <optional>

#include "hypervisor/process/child_process.h"
#include "tests/hypervisor/with_kvm.h"

namespace cheshire {
namespace {

class KvmNetworkTest : public WithKvm {
 protected:
  void TearDown() override { unlink(path_.c_str()); }

  void start_peer(std::vector<std::string> words) {
    peer_.reset();  // killed, and gone
    const std::string program = environment("CHESHIRE_VHOST_PEER");
    std::vector<std::string> arguments = {program, path_};
    arguments.insert(arguments.end(), words.begin(), words.end());
    auto peer = ChildProcess::spawn({.program = program, .arguments = std::move(arguments), .inherited = {}});
    ASSERT_TRUE(peer) << peer.error().what;
    peer_.emplace(std::move(peer).value());
    said_.clear();
    ASSERT_EQ(hear(), "listens");
  }
  // The next line that the peer prints.
  std::string hear() {
    const uint64_t deadline_ns = monotonic_ns() + kTestDeadlineNs;
    while (said_.find('\n') == std::string::npos && monotonic_ns() < deadline_ns) {
      pollfd readable{.fd = peer_->out(), .events = POLLIN, .revents = 0};
      (void)poll(&readable, 1, 100);
      std::array<char, 256> text{};
      const ssize_t size = read(peer_->out(), text.data(), text.size());
      if (size == 0) break;
      if (size > 0) said_.append(text.data(), static_cast<size_t>(size));
    }
    const size_t end = said_.find('\n');
    const std::string line = said_.substr(0, end);
    said_.erase(0, end == std::string::npos ? end : end + 1);
    return line;
  }
  BootOrder grin_order() {
    BootOrder order = order_of("grin");
    order.kernel = environment("CHESHIRE_GRIN");
    order.command_line = "grin.quiet=1";
    order.vhost_socket = path_;
    return order;
  }

  const std::string path_ = "/tmp/cheshire-test-" + std::to_string(getpid()) + "-peer.sock";
  std::optional<ChildProcess> peer_;
  std::string said_;
};

TEST_F(KvmNetworkTest, AConnectionSurvivesADataPlaneThatIsKilledAndComesBack) {
  start_peer({"syn"});
  const BootOrder order = grin_order();
  driver_->boot(order);
  ASSERT_EQ(await_event().kind, DriverEventKind::kSpawned);
  const std::string first = hear();
  ASSERT_TRUE(first.starts_with("isn ")) << first;
  start_peer({"get", first.substr(4)});
  EXPECT_EQ(hear(), "answer HTTP/1.1 200 OK");
  start_peer({"get", first.substr(4)});  // and once more; this time the request is a repeated one
  EXPECT_FALSE(driver_->next_event());
  driver_->stop(order.id);
  EXPECT_EQ(await_event().reason, "stopped");
}

TEST_F(KvmNetworkTest, APausedVmFindsItsDataPlaneAgainToo) {
  start_peer({"syn"});
  const BootOrder order = grin_order();
  driver_->boot(order);
  ASSERT_EQ(await_event().kind, DriverEventKind::kSpawned);
  const std::string first = hear();
  driver_->pause(order.id);
  ASSERT_EQ(await_event().kind, DriverEventKind::kPaused);
  start_peer({"get", first.substr(4)});
  usleep(50'000);  // it connects while the guest stands; the request waits in the ring
  driver_->run(order.id);
  EXPECT_EQ(hear(), "answer HTTP/1.1 200 OK");
  driver_->stop(order.id);
  EXPECT_EQ(await_event().reason, "stopped");
}

TEST_F(KvmNetworkTest, EndsAVmWhoseDataPlaneStaysAway) {
  start_peer({"syn"});
  driver_->boot(grin_order());
  ASSERT_EQ(await_event().kind, DriverEventKind::kSpawned);
  ASSERT_TRUE(hear().starts_with("isn "));
  peer_.reset();
  const DriverEvent end = await_event();
  EXPECT_EQ(end.kind, DriverEventKind::kExited);
  EXPECT_NE(end.reason.find("did not come back within 5 s"), std::string::npos) << end.reason;
}

// What a stock Unikraft image for Firecracker asks of its machine; see guests/kvm_linux.S, step by step.
TEST_F(KvmNetworkTest, BootsAGuestMadeForThe64BitLinuxProtocolAndAPc) {
  start_peer({"echo"});
  BootOrder order = order_of("kvm_linux");
  order.command_line = "netdev.ip=10.0.0.2/24 -- app arguments";
  order.vhost_socket = path_;
  EXPECT_EQ(boot_to_the_end(order), "guest reset or powered off; last on its console: all well");
}

uint64_t free_huge_pages() {
  std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  uint64_t count = 0;
  file >> count;
  return count;
}

TEST_F(KvmNetworkTest, RunsAGuestInHugePages) {
  BootOrder order = grin_order();
  order.hugepages = true;
  if (free_huge_pages() < order.memory_bytes / (2 * kMiB)) GTEST_SKIP() << "no free huge pages of 2 MiB";
  start_peer({"syn"});
  driver_->boot(order);
  const DriverEvent spawned = await_event();
  ASSERT_EQ(spawned.kind, DriverEventKind::kSpawned) << spawned.reason;
  ASSERT_TRUE(hear().starts_with("isn "));
  std::ifstream smaps("/proc/" + std::to_string(spawned.pid) + "/smaps");
  const std::string text{std::istreambuf_iterator<char>(smaps), {}};
  const size_t guest = text.find("/memfd:guest");
  ASSERT_NE(guest, std::string::npos);
  EXPECT_NE(text.find("KernelPageSize:     2048 kB", guest), std::string::npos);
  driver_->stop(order.id);
  EXPECT_EQ(await_event().reason, "stopped");
}

TEST_F(KvmNetworkTest, SaysThatThereAreNotEnoughHugePages) {
  BootOrder order = order_of("hello");
  order.hugepages = true;
  order.memory_bytes = uint64_t{1} << 31;
  if (free_huge_pages() >= 1024) GTEST_SKIP() << "this machine has 2 GiB of free huge pages";
  const std::string reason = boot_to_the_end(order);
  EXPECT_EQ(reason, "guest memory: huge pages: Cannot allocate memory");
}

}  // namespace
}  // namespace cheshire
