// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_command_line.h"

#include <array>
#include <cstdio>

namespace cheshire {
namespace {

// No legacy timers, interrupt controller, ACPI or option ROMs: a unikernel needs none of them, and QEMU's
// own small firmware (qboot, the default here) enters a PVH kernel at once. auto-kernel-cmdline tells the
// guest where its virtio-mmio device is.
constexpr std::string_view kMachine =
    "microvm,rtc=off,pit=off,pic=off,acpi=off,x-option-roms=off,isa-serial=on,auto-kernel-cmdline=on,"
    "memory-backend=ram";

// Measured on the development machine (QEMU 7.2.22, TCG, spawn to the first serial byte, medians of 30):
// 21.6 ms; with tb-size=1 or 8 21.3, thread=single 21.4, cpu max 21.7, option ROMs 21.4, seccomp 21.6,
// QMP 21.8. All noise: 14 ms go before QEMU has read its arguments (`--version` takes as long), so
// the arguments below are chosen for memory and isolation.
// `max` and `host`: images built for SSE or XSAVE run too. tb-size, in MiB, bounds the translated code.
constexpr std::string_view kTcg = "tcg,tb-size=16";
constexpr std::string_view kTcgCpu = "max";
constexpr std::string_view kKvmCpu = "host,migratable=off";
constexpr std::string_view kSandbox =
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

std::string to_text(const MacAddress& mac) {
  std::array<char, 18> text{};
  const auto& b = mac.bytes;
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
                b[5]);
  return text.data();
}

std::string memory_mib(uint64_t bytes) {
  return std::to_string((bytes + kMiB - 1) / kMiB) + "M";
}

class Arguments {
 public:
  explicit Arguments(const std::string& program) : list_{program} {}
  void add(std::string_view option) { list_.emplace_back(option); }
  void add(std::string_view option, std::string_view value) {
    list_.emplace_back(option);
    list_.emplace_back(value);
  }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

void add_machine(Arguments& args, const BootOrder& order, const QemuLaunch& launch) {
  const bool kvm = launch.accelerator == QemuAccelerator::kKvm;
  const std::string memory = memory_mib(order.memory_bytes);
  args.add("-machine", kMachine);
  args.add("-accel", kvm ? std::string_view("kvm") : kTcg);
  args.add("-cpu", kvm ? kKvmCpu : kTcgCpu);
  args.add("-smp", "1");
  args.add("-m", memory);
  args.add("-object", "memory-backend-memfd,id=ram,share=on" +
                          std::string(order.hugepages ? ",hugetlb=on,hugetlbsize=2M" : "") +
                          ",size=" + memory);  // vhost-user needs it shared
  args.add("-device", "i8042");  // power-off by 0xfe to port 0x64, as guests made for Firecracker do
}

void add_network(Arguments& args, const BootOrder& order) {
  if (order.vhost_socket.empty()) {
    args.add("-netdev", "hubport,id=net,hubid=0");
  } else {
    args.add("-chardev", "socket,id=vhost,path=" + escape_commas(order.vhost_socket));
    args.add("-netdev", "vhost-user,id=net,chardev=vhost");
  }
  args.add("-global", "virtio-mmio.force-legacy=false");
  // rte_vhost pays 245 cycles a packet into mergeable buffers and 96 without (development machine, split
  // ring, 64-byte packets in bursts of four).
  args.add("-device", "virtio-net-device,netdev=net,mrg_rxbuf=off,mac=" + to_text(order.mac));
}

}  // namespace

std::string escape_commas(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    escaped += c;
    if (c == ',') escaped += c;
  }
  return escaped;
}

std::vector<std::string> qemu_command_line(const BootOrder& order, const QemuLaunch& launch) {
  Arguments args(launch.program);
  args.add("-name", "guest=" + escape_commas(order.name));
  args.add("-nodefaults");
  args.add("-no-user-config");
  args.add("-display", "none");
  args.add("-no-reboot");
  args.add("-sandbox", kSandbox);
  add_machine(args, order, launch);
  args.add("-chardev", "stdio,id=serial,signal=off");
  args.add("-serial", "chardev:serial");
  args.add("-chardev", "socket,id=qmp,fd=" + std::to_string(launch.qmp_fd));
  args.add("-mon", "chardev=qmp,mode=control");
  add_network(args, order);
  args.add("-kernel", order.kernel);
  if (!order.command_line.empty()) args.add("-append", order.command_line);
  if (launch.paused) args.add("-S");
  return args.take();
}

}  // namespace cheshire
