// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <gtest/gtest.h>

#include <algorithm>

#include "hypervisor/qemu/qemu_command_line.h"

namespace cheshire {
namespace {

BootOrder typical_order() {
  return {.id = {{3}, {17}},
          .name = "hello/3#17",
          .kernel = "/images/grin.elf",
          .memory_bytes = 32 * kMiB,
          .command_line = "ip=10.0.0.2 port=8080",
          .mac = {{0x02, 0xc4, 0x00, 0x00, 0x0a, 0xff}},
          .vhost_socket = "/run/cheshire/3.sock"};
}

std::string line_of(const BootOrder& order, const QemuLaunch& launch = {}) {
  std::string line;
  for (const std::string& argument : qemu_command_line(order, launch)) line += argument + "\n";
  return line;
}

bool has(const std::string& line, const std::string& arguments) {
  return line.find(arguments + "\n") != std::string::npos;
}

TEST(QemuCommandLine, DescribesATypicalOrder) {
  const std::string line = line_of(typical_order());
  for (const char* expected : {
           "-name\nguest=hello/3#17",
           "-nodefaults\n-no-user-config\n-display\nnone\n-no-reboot",
           "-m\n32M",
           "-object\nmemory-backend-memfd,id=ram,share=on,size=32M",
           "-chardev\nsocket,id=qmp,fd=3\n-mon\nchardev=qmp,mode=control",
           "-chardev\nsocket,id=vhost,path=/run/cheshire/3.sock\n-netdev\nvhost-user,id=net,chardev=vhost",
           "-global\nvirtio-mmio.force-legacy=false",
           "-device\nvirtio-net-device,netdev=net,mrg_rxbuf=off,mac=02:c4:00:00:0a:ff",
           "-kernel\n/images/grin.elf",
           "-append\nip=10.0.0.2 port=8080",
       }) {
    EXPECT_TRUE(has(line, expected)) << expected << "\nis not in\n" << line;
  }
}

struct LineCase {
  const char* name;
  void (*change)(BootOrder& order, QemuLaunch& launch);
  const char* expected;
};

TEST(QemuCommandLine, FollowsTheOrder) {
  const LineCase cases[] = {
      {"tcg", [](BootOrder&, QemuLaunch& l) { l.accelerator = QemuAccelerator::kTcg; },
       "-accel\ntcg,tb-size=16\n-cpu\nmax"},
      {"kvm", [](BootOrder&, QemuLaunch& l) { l.accelerator = QemuAccelerator::kKvm; },
       "-accel\nkvm\n-cpu\nhost,migratable=off"},
      {"paused", [](BootOrder&, QemuLaunch& l) { l.paused = true; }, "-S"},
      {"memory is rounded up to whole MiB", [](BootOrder& o, QemuLaunch&) { o.memory_bytes = 8 * kMiB + 1; },
       "-m\n9M"},
      {"commas in the socket's path", [](BootOrder& o, QemuLaunch&) { o.vhost_socket = "/a,b/,.sock"; },
       "socket,id=vhost,path=/a,,b/,,.sock"},
      {"commas in the name", [](BootOrder& o, QemuLaunch&) { o.name = "a,b"; }, "-name\nguest=a,,b"},
      {"commas of the guest's command line are its own",
       [](BootOrder& o, QemuLaunch&) { o.command_line = "a=1,2"; }, "-append\na=1,2"},
      {"commas of the kernel's path too", [](BootOrder& o, QemuLaunch&) { o.kernel = "/x,y.elf"; },
       "-kernel\n/x,y.elf"},
      {"a network device that is connected to nothing",
       [](BootOrder& o, QemuLaunch&) { o.vhost_socket.clear(); }, "-netdev\nhubport,id=net,hubid=0"},
      {"another number for QMP", [](BootOrder&, QemuLaunch& l) { l.qmp_fd = 7; }, "socket,id=qmp,fd=7"},
  };
  for (const LineCase& c : cases) {
    BootOrder order = typical_order();
    QemuLaunch launch;
    c.change(order, launch);
    const std::string line = line_of(order, launch);
    EXPECT_TRUE(has(line, c.expected)) << c.name << "\n" << line;
  }
}

TEST(QemuCommandLine, LeavesOutWhatIsNotWanted) {
  BootOrder order = typical_order();
  order.command_line.clear();
  const std::string line = line_of(order);
  EXPECT_FALSE(has(line, "-S"));
  EXPECT_EQ(line.find("-append"), std::string::npos);
  EXPECT_TRUE(line.starts_with("qemu-system-x86_64\n"));
}

}  // namespace
}  // namespace cheshire
