// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm/kvm_driver.h"

#include <signal.h>

#include <system_error>

#include "hypervisor/kvm/kvm_check.h"
#include "hypervisor/kvm/kvm_loop.h"
#include "hypervisor/kvm/kvm_vm.h"
#include "hypervisor/process/driver_mailbox.h"

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
  mailbox.value()->describe(describe(findings.value()));
  Result<std::unique_ptr<KvmLoop>> loop =
      KvmLoop::create({.program = {.path = program.value(),
                                   .kvm_fd = kvm.value().get(),
                                   .cpuid_fd = cpuid.value().get(),
                                   .idles_by_port = findings.value().idle_by_port()},
                       .stop_grace_ns = options.stop_grace_ns,
                       .cpus = std::move(options.cpus),
                       .use_zygote = options.use_zygote,
                       .on_trace = std::move(options.on_trace)},
                      *mailbox.value());
  if (!loop) return loop.error();
  std::unique_ptr<KvmDriver> driver(
      new KvmDriver(std::move(mailbox).value(), std::move(kvm).value(), std::move(cpuid).value()));

  // The daemon's signal handlers run on other threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::string failure;
  try {
    driver->thread_ = std::thread([running = std::move(loop).value()] { running->run(); });
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!failure.empty()) return Error{ErrorCode::kUnavailable, "kvm driver thread: " + failure};
  return driver;
}

KvmDriver::KvmDriver(std::unique_ptr<DriverMailbox> mailbox, UniqueFd kvm, UniqueFd cpuid)
    : mailbox_(std::move(mailbox)), kvm_(std::move(kvm)), cpuid_(std::move(cpuid)) {}

KvmDriver::~KvmDriver() {
  if (!thread_.joinable()) return;
  mailbox_->post(ShutdownOrder{});
  thread_.join();
}

std::string KvmDriver::description() const {
  return mailbox_->description();
}

void KvmDriver::boot(BootOrder order) {
  mailbox_->post(StartOrder{.boot = std::move(order), .run = true});
}

void KvmDriver::prepare(BootOrder order) {
  mailbox_->post(StartOrder{.boot = std::move(order), .run = false});
}

void KvmDriver::run(InstanceId id) {
  const auto send = [](int link) { KvmVm::send(link, VmmOrderKind::kRun); };
  if (!mailbox_->send_directly(id, send)) mailbox_->post(InstanceOrder{id, InstanceAct::kRun});
}

void KvmDriver::pause(InstanceId id) {
  const auto send = [](int link) { KvmVm::send(link, VmmOrderKind::kPause); };
  if (!mailbox_->send_directly(id, send)) mailbox_->post(InstanceOrder{id, InstanceAct::kPause});
}

void KvmDriver::stop(InstanceId id) {
  mailbox_->post(InstanceOrder{id, InstanceAct::kStop});
}

std::optional<DriverEvent> KvmDriver::next_event() {
  return mailbox_->next_event();
}

std::optional<VmUsage> KvmDriver::usage(InstanceId id) {
  return mailbox_->usage(id, monotonic_ns());
}

void KvmDriver::ask_trace(InstanceId id) {
  (void)mailbox_->send_directly(id, [](int link) { KvmVm::send(link, VmmOrderKind::kTrace); });
}

}  // namespace cheshire
