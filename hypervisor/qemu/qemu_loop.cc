// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_loop.h"

#include <algorithm>
#include <utility>

#include "log.h"
#include "units.h"

namespace cheshire {
namespace {

VmLoopOptions loop_options(QemuOptions& options) {
  return {.name = "qemu",
          .program_title = "QEMU",
          .stop_grace_ns = options.stop_grace_ns,
          .cpus = std::move(options.cpus)};
}

}  // namespace

Result<std::unique_ptr<VmLoop>> QemuLoop::create(QemuOptions options, QemuBinary binary,
                                                 DriverMailbox& mailbox) {
  Result<UniqueFd> epoll = watch_mailbox(mailbox);
  if (!epoll) return epoll.error();
  return std::unique_ptr<VmLoop>(
      new QemuLoop(std::move(options), std::move(binary), mailbox, std::move(epoll).value()));
}

QemuLoop::QemuLoop(QemuOptions options, QemuBinary binary, DriverMailbox& mailbox, UniqueFd epoll)
    : VmLoop(loop_options(options), mailbox, std::move(epoll)),
      first_probe_(std::move(options.probe)),
      binary_(std::move(binary)) {
  update_description();
}

void QemuLoop::on_begin() {
  if (first_probe_) start_probe(*first_probe_, monotonic_ns());
}

void QemuLoop::start(StartOrder order, uint64_t now_ns) {
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
  const uint64_t began_ns = monotonic_ns();
  Result<std::unique_ptr<QemuVm>> vm =
      QemuVm::start(order.boot, {.program = binary_.path, .accelerator = accelerator, .paused = !order.run});
  if (!vm) return add(order.boot.id, began_ns, vm.error());
  add(order.boot.id, began_ns, std::unique_ptr<VmProcess>(std::move(vm).value()));
}

void QemuLoop::carry_out_without_vm(const InstanceOrder& order) {
  const auto waiting = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const StartOrder& o) { return o.boot.id == order.id; });
  if (waiting == waiting_.end()) return;
  if (order.act == InstanceAct::kRun) waiting->run = true;
  if (order.act != InstanceAct::kStop) return;
  waiting_.erase(waiting);
  post_exit(order.id, "stopped");
}

void QemuLoop::on_shutdown() {
  waiting_.clear();
  if (has_unlisted()) probe_->vm()->kill();
}

VmProcess* QemuLoop::find_unlisted(Serial serial) const {
  return probe_ && serial == probe_serial_ ? probe_->vm() : nullptr;
}

uint64_t QemuLoop::unlisted_due_ns() const {
  return probe_ ? probe_->due_ns() : VmProcess::kNever;
}

void QemuLoop::start_probe(const BootOrder& image, uint64_t now_ns) {
  probe_ = std::make_unique<KvmProbe>(image, binary_.path, now_ns);
  probe_serial_ = next_serial();
  // Unwatched, it would be judged by its deadline.
  if (probe_->vm() != nullptr) (void)watch(probe_serial_, *probe_->vm());
  update_description();
}

void QemuLoop::on_turn() {
  if (!probe_) return;
  const uint64_t now_ns = monotonic_ns();
  probe_->on_turn(now_ns);
  if (is_shutting_down() || verdict_ || !probe_->verdict()) return;
  verdict_ = probe_->verdict();
  log::info("{}", update_description());
  for (StartOrder& order : std::exchange(waiting_, {})) start(std::move(order), now_ns);
}

std::string QemuLoop::update_description() {
  std::string text = "qemu " + binary_.version + ", accel ";
  if (verdict_) {
    text += verdict_->works ? "kvm" : "tcg (kvm does not work here: " + verdict_->words + ")";
  } else {
    text += probe_ ? "auto (kvm is being tried)" : "auto (kvm was not tried yet)";
  }
  mailbox().set_description(text);
  return text;
}

}  // namespace cheshire
