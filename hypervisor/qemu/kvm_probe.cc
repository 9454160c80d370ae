// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/kvm_probe.h"

#include <algorithm>

namespace cheshire {

KvmProbe::KvmProbe(const BootOrder& image, const std::string& program, uint64_t now_ns) : begin_ns_(now_ns) {
  BootOrder order = image;
  order.name = "kvm probe";
  order.vhost_socket.clear();
  Result<std::unique_ptr<QemuVm>> vm =
      QemuVm::start(order, {.program = program, .accelerator = QemuAccelerator::kKvm, .paused = true});
  if (!vm) {
    verdict_ = KvmVerdict{false, vm.error().what};
    return;
  }
  vm_ = std::move(vm).value();
  const auto on_reply = [this](const QmpClient::Json* value, std::string_view) {
    guest_runs_ = value != nullptr;
  };
  (void)vm_->qmp().execute("cont", on_reply);  // waits in the socket until QEMU is ready for it
}

uint64_t KvmProbe::due_ns() const {
  if (vm_ == nullptr || verdict_) return QemuVm::kNever;
  const uint64_t deadline_ns = begin_ns_ + kTimeMaxNs;
  return alive_since_ns_ ? std::min(*alive_since_ns_ + kAliveNs, deadline_ns) : deadline_ns;
}

void KvmProbe::on_turn(uint64_t now_ns) {
  if (vm_ == nullptr) return;
  if (vm_->exit_reason()) {
    set_verdict({false, vm_->words()});
    vm_.reset();
    return;
  }
  if (guest_runs_ && !alive_since_ns_) alive_since_ns_ = now_ns;
  if (alive_since_ns_ && now_ns - *alive_since_ns_ >= kAliveNs) {
    set_verdict({true, {}});
  } else if (now_ns - begin_ns_ >= kTimeMaxNs) {
    set_verdict({false, "no answer within 3 s"});
  }
}

void KvmProbe::set_verdict(KvmVerdict verdict) {
  if (verdict_) return;
  verdict_ = std::move(verdict);
  vm_->kill();  // gone already, or to be reaped in a later turn
}

}  // namespace cheshire
