// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the guest wants of us, exit by exit.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "hypervisor/vmm/cmos_clock.h"
#include "hypervisor/vmm/machine.h"
#include "hypervisor/vmm/vmm.h"
#include "unikernel/abi.h"

namespace cheshire {
namespace {

constexpr size_t kInstructionBytesMax = 15;

bool take_ring(int event) {
  uint64_t count = 0;
  return ::read(event, &count, sizeof count) == static_cast<ssize_t>(sizeof count);
}

std::string hex_bytes(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    std::array<char, 4> two{};
    std::snprintf(two.data(), two.size(), " %02x", std::to_integer<unsigned>(byte));
    text += two.data();
  }
  return text;
}

}  // namespace

void Vmm::handle_exit() {
  vm_->take_writes([this](uint64_t address, uint32_t width_bytes, uint64_t value) {
    write_device(address - kNetDeviceAddress, width_bytes, value);
  });
  if (state_ == VcpuState::kFinished) return;
  const kvm_run& exit = vm_->exit();
  switch (exit.exit_reason) {
    case KVM_EXIT_IO:
      return handle_port();
    case KVM_EXIT_MMIO:
      return handle_mmio();
    case KVM_EXIT_HLT:  // only without interrupt chips in the kernel, that is, never
      log_.count(VmExit::kIdle);
      return idle(abi::kIdleForever);
    case KVM_EXIT_SHUTDOWN:
      return finish(describe_failure("guest crashed (triple fault)"));
    case KVM_EXIT_SYSTEM_EVENT:
      return finish("guest shut down");
    case KVM_EXIT_INTERNAL_ERROR:
      return finish(describe_failure("this KVM cannot execute"));
    case KVM_EXIT_FAIL_ENTRY:
      return finish(describe_failure("this CPU refuses the guest's state"));
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_IOAPIC_EOI:
      return log_.count(VmExit::kOther);
    default:
      return finish(describe_failure(("unknown exit " + std::to_string(exit.exit_reason)).c_str()));
  }
}

void Vmm::handle_port() {
  kvm_run& exit = vm_->exit();
  const auto port = static_cast<uint16_t>(exit.io.port);
  const uint32_t width_bytes = exit.io.size;
  auto* data = reinterpret_cast<std::byte*>(&exit) + exit.io.data_offset;
  log_.count(port == abi::kIdlePort ? VmExit::kIdle : VmExit::kPort);
  for (uint32_t i = 0; i < exit.io.count && state_ != VcpuState::kFinished; ++i, data += width_bytes) {
    uint32_t value = 0;
    if (exit.io.direction == KVM_EXIT_IO_OUT) {
      std::memcpy(&value, data, width_bytes);
      write_port(port, width_bytes, value);
    } else {
      value = read_port(port);
      std::memcpy(data, &value, width_bytes);
    }
  }
}

void Vmm::write_port(uint16_t port, uint32_t width_bytes, uint32_t value) {
  if (port == abi::kIdlePort && width_bytes == sizeof value) return idle(value);
  if (port >= kSerialPortFirst && port < kSerialPortFirst + kSerialPorts) {
    return serial_.write(port - kSerialPortFirst, static_cast<uint8_t>(value));
  }
  if (port == kClockIndexPort) clock_index_ = static_cast<uint8_t>(value & 0x7fU);
  if (port == abi::kResetPort && value == abi::kResetCommand) finish("guest reset or powered off");
}

uint32_t Vmm::read_port(uint16_t port) const {
  if (port >= kSerialPortFirst && port < kSerialPortFirst + kSerialPorts) {
    return serial_.read(port - kSerialPortFirst);
  }
  if (port == kClockDataPort) return cmos_clock_register(clock_index_, ::time(nullptr));
  if (port == abi::kResetPort) return 0;  // the keyboard controller takes the next command
  return ~0U;                             // nobody drives the bus
}

void Vmm::handle_mmio() {
  kvm_run& exit = vm_->exit();
  log_.count(VmExit::kMmio);
  const uint64_t address = exit.mmio.phys_addr;
  const uint32_t width_bytes = std::min<uint32_t>(exit.mmio.len, sizeof(uint64_t));
  uint64_t value = 0;
  const auto inside = [address](uint64_t begin, uint64_t size) {
    return address >= begin && address - begin < size;
  };
  if (exit.mmio.is_write != 0) {
    std::memcpy(&value, exit.mmio.data, width_bytes);
    if (inside(kNetDeviceAddress, kNetDeviceBytes)) {
      write_device(address - kNetDeviceAddress, width_bytes, value);
    } else if (!full_chips_ && inside(kIoapicAddress, kIoapicBytes)) {
      write_ioapic(address - kIoapicAddress, static_cast<uint32_t>(value));
    }
    return;
  }
  value = ~uint64_t{0};
  if (inside(kNetDeviceAddress, kNetDeviceBytes)) {
    value = device_->read(address - kNetDeviceAddress, width_bytes);
  } else if (!full_chips_ && inside(kIoapicAddress, kIoapicBytes)) {
    value = ioapic_.read(address - kIoapicAddress);
  }
  std::memcpy(exit.mmio.data, &value, width_bytes);
}

void Vmm::write_device(uint64_t offset, uint32_t width_bytes, uint64_t value) {
  switch (device_->write(offset, width_bytes, value)) {
    case VirtioEvent::kNone:
      return;
    case VirtioEvent::kDriverOk:
      return start_rings();
    case VirtioEvent::kReset:
      return stop_rings();
    case VirtioEvent::kBroken:
      return finish(device_->failure());
  }
}

void Vmm::write_ioapic(uint64_t offset, uint32_t value) {
  const auto line = ioapic_.write(offset, value);
  if (line != kNetDeviceLine) return;
  if (Result<void> routed = vm_->route(*line, ioapic_.message(*line)); !routed) finish(routed.error().what);
}

// The guest has nothing to do until the data plane rings, or for so long. It may be woken early (abi.h).
void Vmm::idle(uint32_t longest_us) {
  const bool forever = longest_us == abi::kIdleForever;
  const uint64_t deadline_ns = forever ? 0 : monotonic_ns() + longest_us * kNsPerUs;
  while (state_ == VcpuState::kRunning) {
    std::array<pollfd, 4> watched = {{{calls_[0].get(), POLLIN, 0},
                                      {calls_[1].get(), POLLIN, 0},
                                      {control_.get(), POLLIN, 0},
                                      {network_ ? network_->fd() : -1, POLLIN, 0}}};
    timespec left{};
    if (!forever) {
      const uint64_t now_ns = monotonic_ns();
      if (now_ns >= deadline_ns) return;
      left = {.tv_sec = static_cast<time_t>((deadline_ns - now_ns) / kNsPerSecond),
              .tv_nsec = static_cast<long>((deadline_ns - now_ns) % kNsPerSecond)};
    }
    const int ready = ::ppoll(watched.data(), watched.size(), forever ? nullptr : &left, nullptr);
    if (ready > 0) {
      const bool receive_rang = watched[0].revents != 0 && take_ring(calls_[0].get());
      const bool transmit_rang = watched[1].revents != 0 && take_ring(calls_[1].get());
      if (receive_rang || transmit_rang) return;
    }
    if (ready < 0 || watched[2].revents != 0) read_orders();
    if (ready < 0 || watched[3].revents != 0) read_network();
  }
}

// "this KVM cannot execute 0f c7 0d … at 0x100123"
std::string Vmm::describe_failure(const char* what) {
  const auto regs = vm_->registers();
  if (!regs) return std::string(what) + "; " + regs.error().what;
  std::array<char, 32> at{};
  std::snprintf(at.data(), at.size(), " at 0x%llx", regs.value().rip);
  std::string text = what;
  if (const auto address = vm_->translate(regs.value().rip)) {
    std::span<const std::byte> bytes = memory_->at(*address, kInstructionBytesMax);
    if (bytes.empty() && memory_->contains(*address, 1)) {
      bytes = memory_->at(*address, memory_->size_bytes() - address->value);
    }
    text += hex_bytes(bytes);
  }
  return text + at.data();
}

}  // namespace cheshire
