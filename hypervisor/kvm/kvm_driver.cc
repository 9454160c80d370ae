// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm/kvm_driver.h"

#include "hypervisor/kvm/kvm_check.h"
#include "hypervisor/kvm/kvm_loop.h"
#include "hypervisor/kvm/kvm_vm.h"

namespace cheshire {

Result<std::unique_ptr<KvmDriver>> KvmDriver::create(KvmOptions options) {
  Result<std::string> program = find_vmm(options.program);
  if (!program) return program.error();
  Result<UniqueFd> kvm = open_kvm();
  if (!kvm) return kvm.error();
  Result<UniqueFd> cpuid = save_cpuid(kvm.value().get());
  if (!cpuid) return cpuid.error();
  Result<KvmFindings> findings = check_kvm(program.value());
  if (!findings) return findings.error();
  auto mailbox = DriverMailbox::create();
  if (!mailbox) return mailbox.error();
  mailbox.value()->set_description(describe(findings.value()));
  Result<std::unique_ptr<VmLoop>> loop =
      KvmLoop::create({.loop = {.name = "kvm",
                                .program_title = "cheshire-vmm",
                                .stop_grace_ns = options.stop_grace_ns,
                                .cpus = std::move(options.cpus)},
                       .program = {.path = std::move(program).value(),
                                   .kvm = std::move(kvm).value(),
                                   .cpuid = std::move(cpuid).value(),
                                   .idles_by_port = findings.value().idle_by_port(),
                                   .on_trace = std::move(options.on_trace)},
                       .use_zygote = options.use_zygote},
                      *mailbox.value());
  if (!loop) return loop.error();
  std::unique_ptr<KvmDriver> driver(new KvmDriver(std::move(mailbox).value()));
  if (Result<void> started = driver->start_thread(std::move(loop).value()); !started) return started.error();
  return driver;
}

void KvmDriver::run(InstanceId id) {
  if (!send_directly(id, VmmOrderKind::kRun)) ProcessDriver::run(id);
}

void KvmDriver::pause(InstanceId id) {
  if (!send_directly(id, VmmOrderKind::kPause)) ProcessDriver::pause(id);
}

void KvmDriver::ask_trace(InstanceId id) {
  (void)send_directly(id, VmmOrderKind::kTrace);
}

bool KvmDriver::send_directly(InstanceId id, VmmOrderKind kind) {
  return mailbox().send_directly(id, [kind](int link) { KvmVm::send(link, kind); });
}

}  // namespace cheshire
