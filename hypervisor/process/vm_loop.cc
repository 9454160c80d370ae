// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/process/vm_loop.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "log.h"

namespace cheshire {
namespace {

using Source = VmProcess::Source;

constexpr int kEventsPerTurn = 64;
constexpr std::array kSources = {Source::kProcess, Source::kSerial, Source::kStderr, Source::kControl};
constexpr uint64_t kSourceBits = 2;
static_assert(kSources.size() == 1U << kSourceBits);

constexpr uint64_t key_of(uint64_t serial, Source source) {
  return serial << kSourceBits | static_cast<uint64_t>(source);
}

bool add_to_epoll(int epoll, int fd, uint64_t key) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = key}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<UniqueFd> VmLoop::watch_mailbox(const DriverMailbox& mailbox) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid() || !add_to_epoll(epoll.get(), mailbox.wake_fd(), key_of(kNoVm, kSources[0]))) {
    return Error{ErrorCode::kUnavailable, std::string("epoll: ") + std::strerror(errno)};
  }
  return epoll;
}

VmLoop::VmLoop(VmLoopOptions options, DriverMailbox& mailbox, UniqueFd epoll)
    : options_(std::move(options)), mailbox_(mailbox), epoll_(std::move(epoll)) {}

void VmLoop::run() {
  pthread_setname_np(pthread_self(), (options_.name + "-driver").c_str());
  set_cpu_affinity();
  on_begin();
  while (!shutting_down_ || has_vms()) {
    wait_for_events();
    take_orders(monotonic_ns());
    on_time(monotonic_ns());
    on_turn();
  }
}

void VmLoop::set_cpu_affinity() const {
  if (options_.cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const uint32_t cpu : options_.cpus) {
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  }
  if (sched_setaffinity(0, sizeof set, &set) < 0) {
    log::warn("{}: cannot run on the CPUs that were chosen for it: {}", options_.name, std::strerror(errno));
  }
}

bool VmLoop::has_vms() const {
  return !vms_.empty() || has_unlisted();
}

void VmLoop::wait_for_events() {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, wait_ms(monotonic_ns()));
  const uint64_t now_ns = monotonic_ns();
  for (int i = 0; i < count; ++i) on_ready(events[static_cast<size_t>(i)].data.u64, now_ns);
}

int VmLoop::wait_ms(uint64_t now_ns) const {
  uint64_t due_ns = unlisted_due_ns();
  for (const auto& [serial, vm] : vms_) due_ns = std::min(due_ns, vm->due_ns());
  return usage_pace_.wait_ms(mailbox_, vms_.size(), due_ns, now_ns);
}

void VmLoop::on_ready(uint64_t key, uint64_t now_ns) {
  const Serial serial = key >> kSourceBits;
  const auto source = static_cast<Source>(key & (kSources.size() - 1));
  const auto listed = vms_.find(serial);
  VmProcess* const vm = listed != vms_.end() ? listed->second.get() : find_unlisted(serial);
  if (vm == nullptr) return;  // the mailbox, or a VM that is gone
  const int fd = vm->descriptor(source);
  if (fd < 0) return;
  // After the end of the process its descriptors are closed, and epoll has forgotten them by itself.
  if (!vm->on_ready(source, now_ns) && vm->descriptor(source) == fd) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
  if (listed == vms_.end()) return;
  for (const DriverEventKind kind : vm->take_reported()) post_event(kind, vm->id(), {});
  if (vm->exit_reason()) remove(serial);
}

void VmLoop::take_orders(uint64_t now_ns) {
  for (DriverOrder& order : mailbox_.take_orders()) {
    if (auto* to_start = std::get_if<StartOrder>(&order)) {
      const InstanceId id = to_start->boot.id;
      if (shutting_down_) {
        post_exit(id, "stopped");
      } else {
        start(std::move(*to_start), now_ns);
      }
      mailbox_.finish_order(id);
    } else if (const auto* to_act = std::get_if<InstanceOrder>(&order)) {
      carry_out(*to_act, now_ns);
      mailbox_.finish_order(to_act->id);
    } else {
      shutting_down_ = true;
      for (const auto& [serial, vm] : vms_) vm->kill();
      on_shutdown();
    }
  }
}

void VmLoop::carry_out(const InstanceOrder& order, uint64_t now_ns) {
  const auto serial = serial_of_.find(order.id);
  if (serial == serial_of_.end()) return carry_out_without_vm(order);
  VmProcess& vm = *vms_.at(serial->second);
  switch (order.act) {
    case InstanceAct::kRun:
      return vm.run();
    case InstanceAct::kPause:
      return vm.pause();
    case InstanceAct::kStop:
      return vm.stop(now_ns, options_.stop_grace_ns);
  }
}

void VmLoop::on_time(uint64_t now_ns) {
  for (const auto& [serial, vm] : vms_) vm->on_time(now_ns);
  if (!usage_pace_.is_due(mailbox_, vms_.size(), now_ns)) return;
  for (const auto& [serial, vm] : vms_) {
    if (const auto usage = vm->measure_usage()) mailbox_.set_usage(vm->id(), *usage);
  }
}

void VmLoop::add(InstanceId id, uint64_t began_ns, Result<std::unique_ptr<VmProcess>> vm) {
  CHECK(!serial_of_.contains(id));
  if (!vm) return post_exit(id, "could not start " + options_.program_title + ": " + vm.error().what);
  const Serial serial = next_serial();
  // A VM that cannot be watched ends here, with its handle.
  if (!watch(serial, *vm.value())) {
    return post_exit(
        id, "could not watch " + options_.program_title + ": epoll: " + std::string(std::strerror(errno)));
  }
  mailbox_.post_event({.kind = DriverEventKind::kSpawned,
                       .id = id,
                       .time_ns = monotonic_ns(),
                       .began_ns = began_ns,
                       .pid = vm.value()->pid(),
                       .reason = {}});
  mailbox_.add_instance(id, vm.value()->order_link());
  serial_of_[id] = serial;
  vms_[serial] = std::move(vm).value();
}

bool VmLoop::watch(Serial serial, const VmProcess& vm) {
  return std::all_of(kSources.begin(), kSources.end(), [&](Source source) {
    return add_to_epoll(epoll_.get(), vm.descriptor(source), key_of(serial, source));
  });
}

void VmLoop::remove(Serial serial) {
  const auto entry = vms_.find(serial);
  const InstanceId id = entry->second->id();
  mailbox_.remove_instance(id);  // before its descriptors are closed: the control thread sends to the link
  const std::unique_ptr<VmProcess> vm = std::move(entry->second);
  vms_.erase(entry);
  serial_of_.erase(id);
  post_exit(id, *vm->exit_reason());
}

void VmLoop::post_exit(InstanceId id, std::string reason) {
  post_event(DriverEventKind::kExited, id, std::move(reason));
}

void VmLoop::post_event(DriverEventKind kind, InstanceId id, std::string reason) {
  mailbox_.post_event({.kind = kind,
                       .id = id,
                       .time_ns = monotonic_ns(),
                       .began_ns = 0,
                       .pid = 0,
                       .reason = std::move(reason)});
}

}  // namespace cheshire
