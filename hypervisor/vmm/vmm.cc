// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/vmm.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "hypervisor/kvm_api/cpuid_table.h"
#include "hypervisor/vmm/boot_parameters.h"
#include "hypervisor/vmm/machine.h"

namespace cheshire {
namespace {

// For the data plane's answers before the guest runs. Its thread serves every VM in turn.
constexpr int kNetworkWaitMs = 2000;
constexpr size_t kCpuidEntriesMax = 256;

Result<std::vector<kvm_cpuid_entry2>> cpuid_from_file(int fd) {
  std::vector<kvm_cpuid_entry2> entries(kCpuidEntriesMax);
  const ssize_t size = ::pread(fd, entries.data(), entries.size() * sizeof entries[0], 0);
  if (size <= 0 || static_cast<size_t>(size) % sizeof entries[0] != 0) {
    return Error{ErrorCode::kInvalidArgument, "--cpuid-fd holds no table"};
  }
  entries.resize(static_cast<size_t>(size) / sizeof entries[0]);
  return entries;
}

uint64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

Vmm::Vmm(VmmOptions options)
    : options_(std::move(options)),
      control_(options_.control_fd),
      kvm_(options_.kvm_fd),
      serial_(STDOUT_FILENO) {
  log_.note(VmmStage::kMain);
}

// The boot order. The data plane answers while the rest is being made.
Result<void> Vmm::prepare() {
  if (Result<void> made = make_eventfds(); !made) return made;
  auto memory = GuestMemory::create(options_.memory_bytes, options_.huge_pages);
  if (!memory) return memory.error();
  memory_.emplace(std::move(memory).value());
  device_.emplace(options_.mac, memory_->size_bytes());
  log_.note(VmmStage::kMemory);
  if (!options_.vhost_socket.empty()) {
    network_.emplace(VhostLinks{.socket_path = options_.vhost_socket,
                                .mtu_bytes = options_.mtu_bytes,
                                .memory = &*memory_,
                                .kicks = {kicks_[0].get(), kicks_[1].get()},
                                .calls = {calls_[0].get(), calls_[1].get()}});
    if (!network_->connect()) return Error{ErrorCode::kUnavailable, network_->broken()};
  }
  if (Result<void> loaded = load_image(); !loaded) return loaded;
  log_.note(VmmStage::kImage);
  if (Result<void> made = make_vm(); !made) return made;
  if (Result<void> connected = connect_network(); !connected) return connected;
  log_.note(VmmStage::kPrepared);
  return {};
}

Result<void> Vmm::make_eventfds() {
  for (auto* fds : {&kicks_, &calls_}) {
    for (UniqueFd& fd : *fds) {
      fd.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      if (!fd.valid()) return Error{ErrorCode::kUnavailable, std::string("eventfd: ") + std::strerror(errno)};
    }
  }
  return {};
}

Result<void> Vmm::load_image() {
  auto image = load_elf(options_.kernel.c_str(), *memory_);
  if (!image) return image.error();
  image_ = std::move(image).value();
  full_chips_ = image_.entry_kind != EntryKind::kLongModeNote;
  const std::string line = full_command_line(options_.command_line, image_.entry_kind, options_.idle);
  idles_by_port_ = image_.entry_kind == EntryKind::kLongModeNote && line.find("grin.idle=port") != line.npos;
  command_line_bytes_ = line.size();
  return write_boot_parameters(*memory_, image_.entry_kind, line);
}

Result<void> Vmm::make_vm() {
  if (!kvm_.valid()) kvm_.reset(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!kvm_.valid()) return kvm_error("/dev/kvm");
  auto vm = Vm::create(kvm_.get(), *memory_, full_chips_ ? InterruptChips::kFull : InterruptChips::kSplit);
  if (!vm) return vm.error();
  vm_.emplace(std::move(vm).value());
  log_.note(VmmStage::kVm);
  if (network_) (void)network_->advance();  // asks the next question; a failure is told by connect_network()
  const auto cpuid =
      options_.cpuid_fd >= 0 ? cpuid_from_file(options_.cpuid_fd) : supported_cpuid(kvm_.get());
  if (!cpuid) return cpuid.error();
  if (Result<void> added = vm_->add_vcpu(kvm_.get(), cpuid.value()); !added) return added;
  if (Result<void> set = vm_->set_entry(image_.entry_kind, image_.entry, command_line_bytes_); !set)
    return set;
  log_.note(VmmStage::kVcpu);
  if (network_) (void)network_->advance();
  for (const RegisterRange& range : kVirtioStoringRegisters) {
    vm_->collect_writes(kNetDeviceAddress + range.offset, range.size_bytes);
  }
  for (uint32_t queue = 0; queue < kNetQueues; ++queue) {
    constexpr uint64_t kDoorbell = kNetDeviceAddress + kVirtioNotifyOffset;
    if (Result<void> bound = vm_->bind_doorbell(kicks_[queue].get(), kDoorbell, queue); !bound) return bound;
    if (idles_by_port_) continue;
    if (Result<void> bound = vm_->bind_line(calls_[queue].get(), kNetDeviceLine); !bound) return bound;
  }
  return {};
}

// With an order to run in the socket already, what the guest is offered must be known, and no more: the
// rest is obeyed in order anyway, while the guest boots. Without one, a shell is a shell when all is
// acknowledged.
Result<void> Vmm::connect_network() {
  if (!network_) return {};
  pollfd order{.fd = control_.get(), .events = POLLIN, .revents = 0};
  const bool runs_at_once = !control_.valid() || ::poll(&order, 1, 0) == 1;
  const bool connected = runs_at_once ? network_->wait_for_features(kNetworkWaitMs)
                                      : network_->wait_until_prepared(kNetworkWaitMs);
  if (!connected) return Error{ErrorCode::kUnavailable, network_->broken()};
  device_->offer(network_->features(), options_.mtu_bytes);
  log_.note(VmmStage::kVhost);
  return {};
}

void Vmm::run() {
  stop_on_signal(&vm_->exit());
  if (control_.valid()) {
    raise_signal_when_readable(control_.get());
  } else {
    change_state(VcpuOrder::kRun);
  }
  if (network_) raise_signal_when_readable(network_->fd());
  read_orders();
  if (state_ == VcpuState::kPrepared) report(VmmReportKind::kPrepared);
  while (state_ != VcpuState::kFinished) {
    if (state_ == VcpuState::kRunning) {
      run_guest();
    } else {
      wait_for_orders();
    }
  }
  serial_.flush();
}

void Vmm::run_guest() {
  log_.enter();
  const bool exited = vm_->run();
  const int error = errno;
  log_.leave();
  if (exited) return handle_exit();
  if (error != EINTR && error != EAGAIN) {
    return finish(std::string("KVM_RUN: ") + std::strerror(error));
  }
  // Cleared before the channels are read: what comes after that sets it again.
  vm_->exit().immediate_exit = 0;
  log_.count(VmExit::kInterrupted);
  read_orders();
  read_network();
}

void Vmm::wait_for_orders() {
  std::array<pollfd, 2> watched = {
      {{control_.get(), POLLIN, 0}, {network_ ? network_->fd() : -1, POLLIN, 0}}};
  (void)::poll(watched.data(), watched.size(), -1);
  read_orders();
  read_network();
}

void Vmm::read_orders() {
  while (control_.valid() && state_ != VcpuState::kFinished) {
    VmmOrder order{};
    const ssize_t size = ::recv(control_.get(), &order, sizeof order, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size == 0) return finish("the driver is gone");
    if (size != sizeof order || order.magic != kVmmOrderMagic) {
      return finish("the driver sent what is no order");
    }
    carry_out(order.kind);
  }
}

void Vmm::carry_out(VmmOrderKind kind) {
  switch (kind) {
    case VmmOrderKind::kRun:
      return change_state(VcpuOrder::kRun);
    case VmmOrderKind::kPause:
      return change_state(VcpuOrder::kPause);
    case VmmOrderKind::kStop:
      return change_state(VcpuOrder::kStop);
    case VmmOrderKind::kUsage:
      return report(VmmReportKind::kUsage);
    case VmmOrderKind::kTrace:
      return report_trace();
  }
  finish("the driver sent an unknown order");
}

void Vmm::change_state(VcpuOrder order) {
  const VcpuState before = state_;
  state_ = next_state(before, order);
  if (state_ == before) return;
  if (state_ == VcpuState::kFinished) return finish("stopped");
  if (state_ == VcpuState::kPaused) return report(VmmReportKind::kPaused);
  log_.note(VmmStage::kRun);
  log_.restart();
}

void Vmm::finish(std::string reason) {
  state_ = VcpuState::kFinished;
  if (reason_.empty()) reason_ = std::move(reason);
}

VmmReport Vmm::make_report(VmmReportKind kind) const {
  VmmReport report{};
  report.kind = kind;
  report.cpu_ns = thread_cpu_ns();
  log_.fill(report);
  return report;
}

void Vmm::report(VmmReportKind kind) {
  const VmmReport report = make_report(kind);
  (void)::send(control_.get(), &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Vmm::report_trace() {
  VmmTrace trace{};
  trace.report = make_report(VmmReportKind::kTrace);
  log_.fill(trace);
  (void)::send(control_.get(), &trace, sizeof trace, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Vmm::report_exit(const std::string& reason) {
  if (!control_.valid()) {
    std::fprintf(stderr, "%s: %s\n", options_.name.c_str(), reason.c_str());
    return;
  }
  VmmReport report = make_report(VmmReportKind::kExited);
  std::memcpy(report.reason.data(), reason.data(), std::min(reason.size(), report.reason.size() - 1));
  (void)::send(control_.get(), &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace cheshire
