// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm/kvm_vm.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "hypervisor/kvm/zygote_link.h"
#include "hypervisor/vmm_messages/vmm_options.h"
#include "hypervisor/vmm_messages/zygote_message.h"

namespace cheshire {
namespace {

constexpr int kReportsPerTurnMax = 4;  // a VMM that floods its socket must not starve the others
constexpr uint64_t kQuestionCostNs = 200 * kNsPerUs;  // of the VMM's CPU time, and ample

VmmOptions options_of(const BootOrder& order, const VmmProgram& program) {
  return {.name = order.name,
          .kernel = order.kernel,
          .memory_bytes = (order.memory_bytes + kMiB - 1) / kMiB * kMiB,
          .huge_pages = order.hugepages,
          .command_line = order.command_line,
          .mac = order.mac,
          .vhost_socket = order.vhost_socket,
          .idle = program.idles_by_port ? IdleMethod::kPort : IdleMethod::kHalt,
          .control_fd = kVmmControlFd,
          .kvm_fd = kVmmKvmFd,
          .cpuid_fd = kVmmCpuidFd};
}

Result<ChildProcess> execute(const VmmProgram& program, std::vector<std::string> arguments, int control) {
  arguments.insert(arguments.begin(), "cheshire-vmm");
  return ChildProcess::spawn({.program = program.path,
                              .arguments = std::move(arguments),
                              .inherited = {control, program.kvm.get(), program.cpuid.get()}});
}

}  // namespace

Result<std::unique_ptr<VmProcess>> KvmVm::start(const BootOrder& order, const VmmProgram& program,
                                                ZygoteLink* zygote, bool run) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
    return Error{ErrorCode::kUnavailable, std::string("socketpair: ") + std::strerror(errno)};
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  if (run) send(ours.get(), VmmOrderKind::kRun);
  std::vector<std::string> arguments = to_arguments(options_of(order, program));
  Result<ChildProcess> child = zygote != nullptr ? zygote->spawn(arguments, theirs.get())
                                                 : execute(program, std::move(arguments), theirs.get());
  if (!child) return child.error();
  return std::unique_ptr<VmProcess>(
      new KvmVm(order, program, std::move(child).value(), std::move(ours), !run));
}

KvmVm::KvmVm(const BootOrder& order, const VmmProgram& program, ChildProcess child, UniqueFd control,
             bool reports_prepared)
    : VmProcess(order, std::move(child)),
      program_(program),
      control_(std::move(control)),
      reports_prepared_(reports_prepared),
      process_usage_(pid(), pid()) {}

void KvmVm::send(int link, VmmOrderKind kind) {
  const VmmOrder order{kVmmOrderMagic, kind};
  // A VMM that does not read is one that will be killed; its pidfd tells when it is gone.
  (void)::send(link, &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool KvmVm::ask_to_end() {
  send(control_.get(), VmmOrderKind::kStop);
  return true;
}

bool KvmVm::read_control() {
  VmmTrace message;  // the larger of the two
  for (int i = 0; i < kReportsPerTurnMax; ++i) {
    const ssize_t size = ::recv(control_.get(), &message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
    // A VMM that ends with an order unread resets the connection; what it said before comes after that error.
    if (size < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    const bool is_trace = message.report.kind == VmmReportKind::kTrace;
    // A VMM that sends anything else is no longer ours.
    if (size != static_cast<ssize_t>(is_trace ? sizeof message : sizeof message.report)) {
      vmm_reason_ = "the VMM sent what is no report";
      kill();
      return false;
    }
    on_report(message.report);
    if (is_trace && program_.on_trace) program_.on_trace(id(), message);
  }
  return true;
}

void KvmVm::on_report(const VmmReport& report) {
  usage_.exits = report.exits;
  switch (report.kind) {
    case VmmReportKind::kPrepared:
      if (reports_prepared_) report_event(DriverEventKind::kPrepared);
      return;
    case VmmReportKind::kPaused:
      return report_event(DriverEventKind::kPaused);
    case VmmReportKind::kExited:
      vmm_reason_ =
          printable_text({report.reason.data(), strnlen(report.reason.data(), report.reason.size())});
      return;
    case VmmReportKind::kUsage:
    case VmmReportKind::kTrace:
      return;
  }
}

std::optional<VmUsage> KvmVm::measure_usage() {
  const uint64_t before_ns = usage_.cpu_ns;
  usage_.cpu_ns = process_usage_.cpu_ns().value_or(before_ns);
  if (usage_.cpu_ns - before_ns > kQuestionCostNs) {  // one that sleeps is not woken for it
    usage_.memory_bytes = process_usage_.memory_bytes().value_or(usage_.memory_bytes);
    send(control_.get(), VmmOrderKind::kUsage);
  }
  return usage_;
}

std::string KvmVm::explain(const ExitStatus& status) const {
  if (vmm_reason_.starts_with("guest ")) return with_last_console_line(vmm_reason_);
  if (!vmm_reason_.empty()) return vmm_reason_;
  const std::string words = complaints();
  return words.empty() ? to_string(status) : to_string(status) + ": " + words;
}

}  // namespace cheshire
