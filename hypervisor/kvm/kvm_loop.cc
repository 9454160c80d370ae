// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm/kvm_loop.h"

#include "log.h"
#include "units.h"

namespace cheshire {

Result<std::unique_ptr<VmLoop>> KvmLoop::create(KvmLoopOptions options, DriverMailbox& mailbox) {
  Result<UniqueFd> epoll = watch_mailbox(mailbox);
  if (!epoll) return epoll.error();
  return std::unique_ptr<VmLoop>(new KvmLoop(std::move(options), mailbox, std::move(epoll).value()));
}

void KvmLoop::start(StartOrder order, uint64_t) {
  const uint64_t began_ns = monotonic_ns();
  add(order.boot.id, began_ns, start_vm(order));
}

// The zygote forks the VMM. Should that fail, this VMM is executed, and the next one gets a new zygote.
Result<std::unique_ptr<VmProcess>> KvmLoop::start_vm(const StartOrder& order) {
  if (!zygote_) start_zygote();
  if (zygote_) {
    Result<std::unique_ptr<VmProcess>> vm = KvmVm::start(order.boot, program_, &*zygote_, order.run);
    if (vm) return vm;
    log::warn("kvm: {}", vm.error().what);
    zygote_.reset();
  }
  return KvmVm::start(order.boot, program_, nullptr, order.run);
}

void KvmLoop::start_zygote() {
  if (zygotes_left_ == 0) return;
  --zygotes_left_;
  Result<ZygoteLink> zygote = ZygoteLink::start(program_);
  if (zygote) {
    zygote_.emplace(std::move(zygote).value());
  } else {
    log::warn("kvm: no zygote, VMs start more slowly: {}", zygote.error().what);
  }
}

}  // namespace cheshire
