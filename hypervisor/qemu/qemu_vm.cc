// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_vm.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace cheshire {
namespace {

constexpr int kFirstInheritedFd = 3;  // child_process.h

std::string_view string_of(const QmpClient::Json& data, const char* key) {
  if (!data.is_object()) return {};
  const auto member = data.find(key);
  if (member == data.end() || !member->is_string()) return {};
  return member->get_ref<const std::string&>();
}

// QEMU's ShutdownCause, as a sentence.
std::string shutdown_sentence(std::string_view cause) {
  if (cause == "guest-shutdown") return "guest shut down";
  if (cause == "guest-reset") return "guest reset or crashed (QEMU does not tell which)";
  if (cause == "guest-panic") return "guest panicked";
  if (cause == "host-signal") return "ended by a signal";
  return "shut down: " + std::string(cause);
}

}  // namespace

Result<std::unique_ptr<QemuVm>> QemuVm::start(const BootOrder& order, const QemuLaunch& launch) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) {
    return Error{ErrorCode::kUnavailable, std::string("socketpair: ") + std::strerror(errno)};
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  QemuLaunch numbered = launch;
  numbered.qmp_fd = kFirstInheritedFd;
  Result<ChildProcess> child = ChildProcess::spawn({.program = launch.program,
                                                    .arguments = qemu_command_line(order, numbered),
                                                    .inherited = {theirs.get()}});
  if (!child) return child.error();
  return std::unique_ptr<QemuVm>(new QemuVm(order, std::move(child).value(), std::move(ours), launch.paused));
}

QemuVm::QemuVm(const BootOrder& order, ChildProcess child, UniqueFd qmp_socket, bool paused)
    : VmProcess(order, std::move(child)),
      qmp_(std::move(qmp_socket),
           [this](std::string_view event, const QmpClient::Json& data) { on_qmp_event(event, data); }) {
  kill_if_guest_is_stuck();  // events from before the handshake are lost
  find_vcpu_thread();
  if (!paused) return;
  // QEMU answers when its machine is complete, the connection to the data plane included.
  (void)qmp_.execute("query-name", [this](const QmpClient::Json* value, std::string_view) {
    if (value != nullptr) report_event(DriverEventKind::kPrepared);
  });
}

void QemuVm::find_vcpu_thread() {
  (void)qmp_.execute("query-cpus-fast", [this](const QmpClient::Json* value, std::string_view) {
    if (value == nullptr || !value->is_array() || value->empty() || !value->front().is_object()) return;
    const auto thread = value->front().find("thread-id");
    if (thread == value->front().end() || !thread->is_number_integer()) return;
    vcpu_usage_.emplace(pid(), thread->get<pid_t>());
  });
}

void QemuVm::pause() {
  (void)qmp_.execute("stop", [this](const QmpClient::Json* value, std::string_view) {
    if (value != nullptr) report_event(DriverEventKind::kPaused);
  });
}

std::optional<VmUsage> QemuVm::measure_usage() {
  if (!vcpu_usage_) return std::nullopt;
  return VmUsage{.cpu_ns = vcpu_usage_->cpu_ns().value_or(0),
                 .memory_bytes = vcpu_usage_->memory_bytes().value_or(0)};
}

void QemuVm::on_qmp_event(std::string_view event, const QmpClient::Json& data) {
  if (event == "SHUTDOWN") guest_end_ = shutdown_sentence(string_of(data, "reason"));
  if (event == "STOP") kill_if_guest_is_stuck();
}

// A vCPU that is stopped was stopped by us, or it cannot go on. Then the process would stay, useless.
void QemuVm::kill_if_guest_is_stuck() {
  (void)qmp_.execute("query-status", [this](const QmpClient::Json* value, std::string_view) {
    const std::string_view status = value != nullptr ? string_of(*value, "status") : std::string_view();
    if (status != "internal-error" && status != "guest-panicked" && status != "io-error") return;
    guest_end_ = "guest halted by " + std::string(status);
    kill();
  });
}

std::string QemuVm::words() const {
  const std::string said = complaints();
  return said.empty() ? exit_reason().value_or("") : said;
}

std::string QemuVm::explain(const ExitStatus& status) const {
  const bool clean = status.kind == ExitStatus::Kind::kExited && status.value == 0;
  const std::string said = complaints();
  std::string guest_end = guest_end_;
  // A guest may end before QEMU has taken our half of the handshake, and without that it sends no event. A
  // clean exit that nobody ordered is the guest's then; without ACPI it has no other way than a reset.
  if (guest_end.empty() && clean && said.empty()) guest_end = shutdown_sentence("guest-reset");
  if (!said.empty()) {
    if (!guest_end.empty()) return guest_end + ": " + said;
    return (clean ? "QEMU ended" : to_string(status)) + ": " + said;
  }
  if (guest_end.empty()) return to_string(status);
  return with_last_console_line(std::move(guest_end));
}

}  // namespace cheshire
