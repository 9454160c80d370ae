// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm/kvm_vm.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "hypervisor/kvm/zygote_link.h"
#include "hypervisor/vmm_messages/vmm_options.h"
#include "hypervisor/vmm_messages/zygote_message.h"

namespace cheshire {
namespace {

constexpr size_t kReadBytes = 4096;
constexpr int kReadsPerTurnMax = 4;  // a guest that floods its console must not starve the others
constexpr int kReadsAtEndMax = 64;
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
                              .inherited = {control, program.kvm_fd, program.cpuid_fd}});
}

// Text of another process: printable, and no longer than it may be.
std::string text_of(const std::array<char, 192>& raw) {
  std::string text(raw.data(), strnlen(raw.data(), raw.size()));
  for (char& c : text) {
    if (std::isprint(static_cast<unsigned char>(c)) == 0) c = '?';
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<KvmVm>> KvmVm::start(const BootOrder& order, const VmmProgram& program,
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
  return std::unique_ptr<KvmVm>(new KvmVm(order, std::move(child).value(), std::move(ours), !run));
}

KvmVm::KvmVm(const BootOrder& order, ChildProcess child, UniqueFd control, bool tells_prepared)
    : id_(order.id),
      child_(std::move(child)),
      control_(std::move(control)),
      tells_prepared_(tells_prepared),
      serial_(order.name),
      process_(child_.pid(), child_.pid()) {}

void KvmVm::send(int control, VmmOrderKind kind) {
  const VmmOrder order{kVmmOrderMagic, kind};
  // A VMM that does not read is one that will be killed; its pidfd tells when it is gone.
  (void)::send(control, &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int KvmVm::descriptor(Source source) const {
  switch (source) {
    case Source::kProcess:
      return child_.pidfd();
    case Source::kSerial:
      return child_.out();
    case Source::kStderr:
      return child_.err();
    case Source::kControl:
      return control_.get();
  }
  return -1;
}

bool KvmVm::on_ready(Source source, uint64_t now_ns) {
  switch (source) {
    case Source::kProcess:
      on_process_ended(now_ns);
      return !exit_reason_.has_value();
    case Source::kSerial:
    case Source::kStderr:
      return drain(source, kReadsPerTurnMax, now_ns);
    case Source::kControl:
      return read_reports();
  }
  return false;
}

bool KvmVm::drain(Source source, int reads_max, uint64_t now_ns) {
  std::array<char, kReadBytes> buffer;
  for (int i = 0; i < reads_max; ++i) {
    const ssize_t size = ::read(descriptor(source), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    const std::string_view bytes(buffer.data(), static_cast<size_t>(size));
    if (source == Source::kSerial) {
      serial_.feed(bytes, now_ns);
    } else {
      stderr_.feed(bytes);
    }
  }
  return true;
}

bool KvmVm::read_reports() {
  VmmTrace message;  // the larger of the two
  for (int i = 0; i < kReadsPerTurnMax; ++i) {
    const ssize_t size = ::recv(control_.get(), &message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
    // A VMM that ends with an order unread resets the connection; what it said before comes after that error.
    if (size < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    const bool is_trace = message.report.kind == VmmReportKind::kTrace;
    // A VMM that sends anything else is no longer ours.
    if (size != static_cast<ssize_t>(is_trace ? sizeof message : sizeof message.report)) {
      said_ = "the VMM sent what is no report";
      child_.kill();
      return false;
    }
    on_report(message.report);
    if (is_trace) trace_ = message;
  }
  return true;
}

void KvmVm::on_report(const VmmReport& report) {
  usage_.exits = report.exits;
  if (report.kind == VmmReportKind::kPrepared && tells_prepared_) news_.push_back(DriverEventKind::kPrepared);
  if (report.kind == VmmReportKind::kPaused) news_.push_back(DriverEventKind::kPaused);
  if (report.kind == VmmReportKind::kExited) said_ = text_of(report.reason);
}

VmUsage KvmVm::look_at_usage() {
  const uint64_t before_ns = usage_.cpu_ns;
  usage_.cpu_ns = process_.cpu_ns().value_or(before_ns);
  if (usage_.cpu_ns - before_ns > kQuestionCostNs) {  // one that sleeps is not woken for it
    usage_.memory_bytes = process_.memory_bytes().value_or(usage_.memory_bytes);
    send(VmmOrderKind::kUsage);
  }
  return usage_;
}

void KvmVm::on_time(uint64_t now_ns) {
  if (now_ns < kill_at_ns_) return;
  kill_at_ns_ = kNever;
  child_.kill();
}

void KvmVm::stop(uint64_t now_ns, uint64_t grace_ns) {
  if (stop_ordered_) return;
  stop_ordered_ = true;
  kill_at_ns_ = now_ns + grace_ns;
  send(VmmOrderKind::kStop);
}

void KvmVm::on_process_ended(uint64_t now_ns) {
  // What it said at the end is still in the pipes, which reap() closes.
  (void)read_reports();
  (void)drain(Source::kSerial, kReadsAtEndMax, now_ns);
  (void)drain(Source::kStderr, kReadsAtEndMax, now_ns);
  const std::optional<ExitStatus> status = child_.reap();
  if (!status) return;
  serial_.finish(now_ns);
  stderr_.finish();
  kill_at_ns_ = kNever;
  exit_reason_ = explain(*status);
}

std::string KvmVm::explain(const ExitStatus& status) const {
  if (stop_ordered_) return "stopped";
  std::string reason = said_;
  if (reason.empty()) {
    const std::string words = stderr_.text();
    reason = words.empty() ? to_string(status) : to_string(status) + ": " + words;
  }
  // A guest that ends itself says why, if anywhere, on its console.
  if (said_.starts_with("guest ") && !serial_.last_line().empty()) {
    reason += "; last on its console: " + serial_.last_line();
  }
  return reason;
}

}  // namespace cheshire
