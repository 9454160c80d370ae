// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_loop.h"

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
constexpr std::array kSources = {QemuVm::Source::kProcess, QemuVm::Source::kSerial, QemuVm::Source::kStderr,
                                 QemuVm::Source::kQmp};
constexpr uint64_t kSourceBits = 2;
static_assert(kSources.size() == 1U << kSourceBits);

constexpr uint64_t key_of(uint64_t serial, QemuVm::Source source) {
  return serial << kSourceBits | static_cast<uint64_t>(source);
}

bool add_to_epoll(int epoll, int fd, uint64_t key) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = key}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<std::unique_ptr<QemuLoop>> QemuLoop::create(QemuOptions options, QemuBinary binary,
                                                   DriverMailbox& mailbox) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid() || !add_to_epoll(epoll.get(), mailbox.wake_fd(), key_of(kNoVm, kSources[0]))) {
    return Error{ErrorCode::kUnavailable, std::string("epoll: ") + std::strerror(errno)};
  }
  return std::unique_ptr<QemuLoop>(
      new QemuLoop(std::move(options), std::move(binary), mailbox, std::move(epoll)));
}

QemuLoop::QemuLoop(QemuOptions options, QemuBinary binary, DriverMailbox& mailbox, UniqueFd epoll)
    : options_(std::move(options)), binary_(std::move(binary)), mailbox_(mailbox), epoll_(std::move(epoll)) {
  describe();
}

void QemuLoop::run() {
  pthread_setname_np(pthread_self(), "qemu-driver");
  settle_on_cpus();
  if (options_.probe) start_probe(*options_.probe, monotonic_ns());
  while (!shutting_down_ || !vms_.empty() || (probe_ && probe_->vm() != nullptr)) {
    wait_for_events();
    take_orders(monotonic_ns());
    on_time(monotonic_ns());
    advance_probe(monotonic_ns());
  }
}

void QemuLoop::settle_on_cpus() const {
  if (options_.cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const uint32_t cpu : options_.cpus) {
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  }
  if (sched_setaffinity(0, sizeof set, &set) < 0) {
    log::warn("qemu: cannot run on the CPUs that were chosen for it: {}", std::strerror(errno));
  }
}

void QemuLoop::wait_for_events() {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, wait_ms(monotonic_ns()));
  const uint64_t now_ns = monotonic_ns();
  for (int i = 0; i < count; ++i) on_ready(events[static_cast<size_t>(i)].data.u64, now_ns);
}

int QemuLoop::wait_ms(uint64_t now_ns) const {
  uint64_t due_ns = probe_ ? probe_->due_ns() : QemuVm::kNever;
  for (const auto& [serial, vm] : vms_) due_ns = std::min(due_ns, vm->due_ns());
  return usage_pace_.wait_ms(mailbox_, vms_.size(), due_ns, now_ns);
}

void QemuLoop::on_ready(uint64_t key, uint64_t now_ns) {
  const Serial serial = key >> kSourceBits;
  const auto source = static_cast<QemuVm::Source>(key & (kSources.size() - 1));
  QemuVm* vm = find(serial);
  if (vm == nullptr) return;  // the mailbox, or a VM that is gone
  const int fd = vm->descriptor(source);
  if (fd < 0) return;
  // After the end of the process its descriptors are closed, and epoll has forgotten them by itself.
  if (!vm->on_ready(source, now_ns) && vm->descriptor(source) == fd) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
  if (serial != probe_serial_) pass_on_news(*vm);
  forget_if_ended(serial);
}

void QemuLoop::take_orders(uint64_t now_ns) {
  for (DriverOrder& order : mailbox_.take_orders()) {
    if (auto* to_start = std::get_if<StartOrder>(&order)) {
      const InstanceId id = to_start->boot.id;
      start(std::move(*to_start), now_ns);
      mailbox_.done(id);
    } else if (const auto* to_act = std::get_if<InstanceOrder>(&order)) {
      act(*to_act, now_ns);
      mailbox_.done(to_act->id);
    } else {
      shut_down();
    }
  }
}

void QemuLoop::on_time(uint64_t now_ns) {
  for (const auto& [serial, vm] : vms_) vm->on_time(now_ns);
  refresh_usage(now_ns);
}

void QemuLoop::refresh_usage(uint64_t now_ns) {
  if (!usage_pace_.is_due(mailbox_, vms_.size(), now_ns)) return;
  for (const auto& [serial, vm] : vms_) {
    if (const auto usage = vm->look_at_usage()) mailbox_.set_usage(vm->order().id, *usage);
  }
}

void QemuLoop::start(StartOrder order, uint64_t now_ns) {
  CHECK(!serial_of_.contains(order.boot.id));
  switch (order.boot.accelerator) {
    case Accelerator::kKvm:
      return spawn(order, QemuAccelerator::kKvm);
    case Accelerator::kTcg:
      return spawn(order, QemuAccelerator::kTcg);
    case Accelerator::kAuto:
      break;
  }
  if (verdict_) return spawn(order, verdict_->works ? QemuAccelerator::kKvm : QemuAccelerator::kTcg);
  waiting_.push_back(std::move(order));
  if (!probe_) start_probe(waiting_.back().boot, now_ns);
}

void QemuLoop::spawn(const StartOrder& order, QemuAccelerator accelerator) {
  const InstanceId id = order.boot.id;
  const uint64_t began_ns = monotonic_ns();
  Result<std::unique_ptr<QemuVm>> vm =
      QemuVm::start(order.boot, {.program = binary_.path, .accelerator = accelerator, .paused = !order.run});
  if (!vm) return tell_exit(id, "could not start QEMU: " + vm.error().what);
  const Serial serial = ++last_serial_;
  // A VM that cannot be watched ends here, with its handle.
  if (!watch(serial, *vm.value())) {
    return tell_exit(id, std::string("could not watch QEMU: epoll: ") + std::strerror(errno));
  }
  mailbox_.tell({.kind = DriverEventKind::kSpawned,
                 .id = id,
                 .time_ns = monotonic_ns(),
                 .began_ns = began_ns,
                 .pid = vm.value()->pid(),
                 .reason = {}});
  mailbox_.admit(id, -1);
  serial_of_[id] = serial;
  vms_[serial] = std::move(vm).value();
}

void QemuLoop::act(const InstanceOrder& order, uint64_t now_ns) {
  if (const auto serial = serial_of_.find(order.id); serial != serial_of_.end()) {
    QemuVm& vm = *vms_.at(serial->second);
    if (order.act == InstanceAct::kRun) vm.run();
    if (order.act == InstanceAct::kPause) vm.pause();
    if (order.act == InstanceAct::kStop) vm.stop(now_ns, options_.stop_grace_ns);
    return;
  }
  const auto waiting = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const StartOrder& o) { return o.boot.id == order.id; });
  if (waiting != waiting_.end()) act_on_waiting(waiting, order.act);
}

// For the verdict about KVM: there is no VM yet.
void QemuLoop::act_on_waiting(std::deque<StartOrder>::iterator order, InstanceAct act) {
  if (act == InstanceAct::kRun) order->run = true;
  if (act != InstanceAct::kStop) return;
  const InstanceId id = order->boot.id;
  waiting_.erase(order);
  tell_exit(id, "stopped");
}

void QemuLoop::shut_down() {
  shutting_down_ = true;
  waiting_.clear();
  for (const auto& [serial, vm] : vms_) vm->kill();
  if (probe_ && probe_->vm() != nullptr) probe_->vm()->kill();
}

void QemuLoop::forget_if_ended(Serial serial) {
  const auto entry = vms_.find(serial);
  if (entry == vms_.end() || !entry->second->exit_reason()) return;
  const std::unique_ptr<QemuVm> vm = std::move(entry->second);
  vms_.erase(entry);
  serial_of_.erase(vm->order().id);
  mailbox_.forget(vm->order().id);
  tell_exit(vm->order().id, *vm->exit_reason());
}

void QemuLoop::start_probe(const BootOrder& image, uint64_t now_ns) {
  probe_ = std::make_unique<KvmProbe>(image, binary_.path, now_ns);
  probe_serial_ = ++last_serial_;
  // Unwatched, it would be judged by its deadline.
  if (probe_->vm() != nullptr) (void)watch(probe_serial_, *probe_->vm());
  describe();
}

void QemuLoop::advance_probe(uint64_t now_ns) {
  if (!probe_) return;
  probe_->on_turn(now_ns);
  if (shutting_down_ || verdict_ || !probe_->verdict()) return;
  verdict_ = probe_->verdict();
  log::info("{}", describe());
  for (StartOrder& order : std::exchange(waiting_, {})) start(std::move(order), now_ns);
}

std::string QemuLoop::describe() {
  std::string text = "qemu " + binary_.version + ", accel ";
  if (verdict_) {
    text += verdict_->works ? "kvm" : "tcg (kvm does not work here: " + verdict_->words + ")";
  } else {
    text += probe_ ? "auto (kvm is being tried)" : "auto (kvm was not tried yet)";
  }
  mailbox_.describe(text);
  return text;
}

bool QemuLoop::watch(Serial serial, const QemuVm& vm) {
  return std::all_of(kSources.begin(), kSources.end(), [&](QemuVm::Source source) {
    return add_to_epoll(epoll_.get(), vm.descriptor(source), key_of(serial, source));
  });
}

QemuVm* QemuLoop::find(Serial serial) const {
  if (serial == kNoVm) return nullptr;
  if (probe_ && serial == probe_serial_) return probe_->vm();
  const auto vm = vms_.find(serial);
  return vm != vms_.end() ? vm->second.get() : nullptr;
}

void QemuLoop::pass_on_news(QemuVm& vm) {
  for (const DriverEventKind kind : std::exchange(vm.news(), {})) tell(kind, vm.order().id, 0, {});
}

void QemuLoop::tell(DriverEventKind kind, InstanceId id, int32_t pid, std::string reason) {
  mailbox_.tell({.kind = kind,
                 .id = id,
                 .time_ns = monotonic_ns(),
                 .began_ns = 0,
                 .pid = pid,
                 .reason = std::move(reason)});
}

void QemuLoop::tell_exit(InstanceId id, std::string reason) {
  tell(DriverEventKind::kExited, id, 0, std::move(reason));
}

}  // namespace cheshire
