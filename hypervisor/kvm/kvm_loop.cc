// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm/kvm_loop.h"

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

constexpr int kEventsPerTurn = 64;
constexpr std::array kSources = {KvmVm::Source::kProcess, KvmVm::Source::kSerial, KvmVm::Source::kStderr,
                                 KvmVm::Source::kControl};
constexpr uint64_t kSourceBits = 2;
static_assert(kSources.size() == 1U << kSourceBits);

constexpr uint64_t key_of(uint64_t serial, KvmVm::Source source) {
  return serial << kSourceBits | static_cast<uint64_t>(source);
}

bool add_to_epoll(int epoll, int fd, uint64_t key) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = key}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<std::unique_ptr<KvmLoop>> KvmLoop::create(KvmLoopOptions options, DriverMailbox& mailbox) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid() || !add_to_epoll(epoll.get(), mailbox.wake_fd(), key_of(kNoVm, kSources[0]))) {
    return Error{ErrorCode::kUnavailable, std::string("epoll: ") + std::strerror(errno)};
  }
  return std::unique_ptr<KvmLoop>(new KvmLoop(std::move(options), mailbox, std::move(epoll)));
}

void KvmLoop::run() {
  pthread_setname_np(pthread_self(), "kvm-driver");
  settle_on_cpus();
  start_zygote();
  while (!shutting_down_ || !vms_.empty()) {
    wait_for_events();
    take_orders(monotonic_ns());
    on_time(monotonic_ns());
  }
}

void KvmLoop::settle_on_cpus() const {
  if (options_.cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const uint32_t cpu : options_.cpus) {
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  }
  if (sched_setaffinity(0, sizeof set, &set) < 0) {
    log::warn("kvm: cannot run on the CPUs that were chosen for it: {}", std::strerror(errno));
  }
}

void KvmLoop::start_zygote() {
  if (zygotes_left_ == 0) return;
  --zygotes_left_;
  Result<ZygoteLink> zygote = ZygoteLink::start(options_.program);
  if (zygote) {
    zygote_.emplace(std::move(zygote).value());
  } else {
    log::warn("kvm: no zygote, VMs start more slowly: {}", zygote.error().what);
  }
}

// By the zygote; should that fail, by a new one the next time, and this time without.
Result<std::unique_ptr<KvmVm>> KvmLoop::start_vm(const StartOrder& order) {
  if (!zygote_) start_zygote();
  if (zygote_) {
    Result<std::unique_ptr<KvmVm>> vm = KvmVm::start(order.boot, options_.program, &*zygote_, order.run);
    if (vm) return vm;
    log::warn("kvm: {}", vm.error().what);
    zygote_.reset();
  }
  return KvmVm::start(order.boot, options_.program, nullptr, order.run);
}

void KvmLoop::wait_for_events() {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, wait_ms(monotonic_ns()));
  const uint64_t now_ns = monotonic_ns();
  for (int i = 0; i < count; ++i) on_ready(events[static_cast<size_t>(i)].data.u64, now_ns);
}

int KvmLoop::wait_ms(uint64_t now_ns) const {
  uint64_t due_ns = KvmVm::kNever;
  for (const auto& [serial, vm] : vms_) due_ns = std::min(due_ns, vm->due_ns());
  return usage_pace_.wait_ms(mailbox_, vms_.size(), due_ns, now_ns);
}

void KvmLoop::on_ready(uint64_t key, uint64_t now_ns) {
  const Serial serial = key >> kSourceBits;
  const auto source = static_cast<KvmVm::Source>(key & (kSources.size() - 1));
  const auto entry = vms_.find(serial);
  if (entry == vms_.end()) return;  // the mailbox, or a VM that is gone
  KvmVm& vm = *entry->second;
  const int fd = vm.descriptor(source);
  if (fd < 0) return;
  // After the end of the process its descriptors are closed, and epoll has forgotten them by itself.
  if (!vm.on_ready(source, now_ns) && vm.descriptor(source) == fd) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
  pass_on_news(vm);
  forget_if_ended(serial);
}

void KvmLoop::take_orders(uint64_t now_ns) {
  for (DriverOrder& order : mailbox_.take_orders()) {
    if (const auto* to_start = std::get_if<StartOrder>(&order)) {
      start(*to_start);
      mailbox_.done(to_start->boot.id);
    } else if (const auto* to_act = std::get_if<InstanceOrder>(&order)) {
      act(*to_act, now_ns);
      mailbox_.done(to_act->id);
    } else {
      shutting_down_ = true;
      for (const auto& [serial, vm] : vms_) vm->kill();
    }
  }
}

void KvmLoop::on_time(uint64_t now_ns) {
  for (const auto& [serial, vm] : vms_) vm->on_time(now_ns);
  refresh_usage(now_ns);
}

void KvmLoop::refresh_usage(uint64_t now_ns) {
  if (!usage_pace_.is_due(mailbox_, vms_.size(), now_ns)) return;
  for (const auto& [serial, vm] : vms_) mailbox_.set_usage(vm->id(), vm->look_at_usage());
}

void KvmLoop::start(const StartOrder& order) {
  const InstanceId id = order.boot.id;
  CHECK(!serial_of_.contains(id));
  if (shutting_down_) return tell(DriverEventKind::kExited, id, 0, "stopped");
  const uint64_t began_ns = monotonic_ns();
  Result<std::unique_ptr<KvmVm>> vm = start_vm(order);
  if (!vm) {
    return tell(DriverEventKind::kExited, id, 0, "could not start cheshire-vmm: " + vm.error().what);
  }
  const Serial serial = ++last_serial_;
  // A VM that cannot be watched ends here, with its handle.
  if (!watch(serial, *vm.value())) {
    return tell(DriverEventKind::kExited, id, 0,
                std::string("could not watch cheshire-vmm: epoll: ") + std::strerror(errno));
  }
  mailbox_.tell({.kind = DriverEventKind::kSpawned,
                 .id = id,
                 .time_ns = monotonic_ns(),
                 .began_ns = began_ns,
                 .pid = vm.value()->pid(),
                 .reason = {}});
  mailbox_.admit(id, vm.value()->descriptor(KvmVm::Source::kControl));
  serial_of_[id] = serial;
  vms_[serial] = std::move(vm).value();
}

void KvmLoop::act(const InstanceOrder& order, uint64_t now_ns) {
  const auto serial = serial_of_.find(order.id);
  if (serial == serial_of_.end()) return;
  KvmVm& vm = *vms_.at(serial->second);
  switch (order.act) {
    case InstanceAct::kRun:
      return vm.send(VmmOrderKind::kRun);
    case InstanceAct::kPause:
      return vm.send(VmmOrderKind::kPause);
    case InstanceAct::kStop:
      return vm.stop(now_ns, options_.stop_grace_ns);
  }
}

bool KvmLoop::watch(Serial serial, const KvmVm& vm) {
  return std::all_of(kSources.begin(), kSources.end(), [&](KvmVm::Source source) {
    return add_to_epoll(epoll_.get(), vm.descriptor(source), key_of(serial, source));
  });
}

void KvmLoop::pass_on_news(KvmVm& vm) {
  for (const DriverEventKind kind : std::exchange(vm.news(), {})) tell(kind, vm.id(), 0, {});
  const auto trace = vm.take_trace();
  if (trace && options_.on_trace) options_.on_trace(vm.id(), *trace);
}

void KvmLoop::forget_if_ended(Serial serial) {
  const auto entry = vms_.find(serial);
  if (entry == vms_.end() || !entry->second->exit_reason()) return;
  const InstanceId id = entry->second->id();
  mailbox_.forget(id);  // before its descriptors are closed: the control thread sends to the link
  const std::unique_ptr<KvmVm> vm = std::move(entry->second);
  vms_.erase(entry);
  serial_of_.erase(id);
  tell(DriverEventKind::kExited, id, 0, *vm->exit_reason());
}

void KvmLoop::tell(DriverEventKind kind, InstanceId id, int32_t pid, std::string reason) {
  mailbox_.tell({.kind = kind,
                 .id = id,
                 .time_ns = monotonic_ns(),
                 .began_ns = 0,
                 .pid = pid,
                 .reason = std::move(reason)});
}

}  // namespace cheshire
