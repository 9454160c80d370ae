// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_vm.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cheshire {
namespace {

constexpr size_t kReadBytes = 4096;
constexpr int kReadsPerTurnMax = 4;   // a guest that floods its console must not starve the others
constexpr int kReadsAtEndMax = 64;    // what a pipe of 64 KiB can hold, and some
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
    : order_(order),
      child_(std::move(child)),
      qmp_(std::move(qmp_socket),
           [this](std::string_view event, const QmpClient::Json& data) { on_qmp_event(event, data); }),
      serial_(order.name) {
  ask_whether_it_runs();  // events from before the handshake are lost
  ask_for_vcpu_thread();
  if (!paused) return;
  // QEMU answers when its machine is complete, the connection to the data plane included.
  (void)qmp_.execute("query-name", [this](const QmpClient::Json* value, std::string_view) {
    if (value != nullptr) news_.push_back(DriverEventKind::kPrepared);
  });
}

void QemuVm::ask_for_vcpu_thread() {
  (void)qmp_.execute("query-cpus-fast", [this](const QmpClient::Json* value, std::string_view) {
    if (value == nullptr || !value->is_array() || value->empty() || !value->front().is_object()) return;
    const auto thread = value->front().find("thread-id");
    if (thread == value->front().end() || !thread->is_number_integer()) return;
    usage_.emplace(child_.pid(), thread->get<pid_t>());
  });
}

void QemuVm::pause() {
  (void)qmp_.execute("stop", [this](const QmpClient::Json* value, std::string_view) {
    if (value != nullptr) news_.push_back(DriverEventKind::kPaused);
  });
}

std::optional<VmUsage> QemuVm::look_at_usage() const {
  if (!usage_) return std::nullopt;
  return VmUsage{.cpu_ns = usage_->cpu_ns().value_or(0), .memory_bytes = usage_->memory_bytes().value_or(0)};
}

int QemuVm::descriptor(Source source) const {
  switch (source) {
    case Source::kProcess:
      return child_.pidfd();
    case Source::kSerial:
      return child_.out();
    case Source::kStderr:
      return child_.err();
    case Source::kQmp:
      return qmp_.fd();
  }
  return -1;
}

bool QemuVm::on_ready(Source source, uint64_t now_ns) {
  switch (source) {
    case Source::kProcess:
      on_process_ended(now_ns);
      return !exit_reason_.has_value();
    case Source::kSerial:
    case Source::kStderr:
      return drain(source, kReadsPerTurnMax, now_ns);
    case Source::kQmp:
      return qmp_.read();
  }
  return false;
}

bool QemuVm::drain(Source source, int reads_max, uint64_t now_ns) {
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

void QemuVm::on_time(uint64_t now_ns) {
  if (now_ns < kill_at_ns_) return;
  kill_at_ns_ = kNever;
  child_.kill();
}

void QemuVm::stop(uint64_t now_ns, uint64_t grace_ns) {
  if (stop_ordered_) return;
  stop_ordered_ = true;
  if (qmp_.execute("quit")) {
    kill_at_ns_ = now_ns + grace_ns;
  } else {
    child_.kill();
  }
}

void QemuVm::on_qmp_event(std::string_view event, const QmpClient::Json& data) {
  if (event == "SHUTDOWN") guest_end_ = shutdown_sentence(string_of(data, "reason"));
  if (event == "STOP") ask_whether_it_runs();
}

// A vCPU that is stopped was stopped by us, or it cannot go on. Then the process would stay, useless.
void QemuVm::ask_whether_it_runs() {
  (void)qmp_.execute("query-status", [this](const QmpClient::Json* value, std::string_view) {
    const std::string_view status = value != nullptr ? string_of(*value, "status") : std::string_view();
    if (status != "internal-error" && status != "guest-panicked" && status != "io-error") return;
    guest_end_ = "guest halted by " + std::string(status);
    child_.kill();
  });
}

void QemuVm::on_process_ended(uint64_t now_ns) {
  // What it said at the end is still in the pipes, which reap() closes.
  (void)qmp_.read();
  (void)drain(Source::kSerial, kReadsAtEndMax, now_ns);
  (void)drain(Source::kStderr, kReadsAtEndMax, now_ns);
  const std::optional<ExitStatus> status = child_.reap();
  if (!status) return;
  serial_.finish(now_ns);
  stderr_.finish();
  kill_at_ns_ = kNever;
  exit_reason_ = explain(*status);
}

std::string QemuVm::words() const {
  const std::string said = stderr_.text();
  return said.empty() ? exit_reason_.value_or("") : said;
}

std::string QemuVm::explain(const ExitStatus& status) const {
  if (stop_ordered_) return "stopped";
  const bool clean = status.kind == ExitStatus::Kind::kExited && status.value == 0;
  const std::string said = stderr_.text();
  std::string guest_end = guest_end_;
  // A guest may end before QEMU has taken our half of the handshake, and without that it sends no event. A
  // clean exit that nobody ordered is the guest's then; without ACPI it has no other way than a reset.
  if (guest_end.empty() && clean && said.empty()) guest_end = shutdown_sentence("guest-reset");
  if (!said.empty()) {
    if (!guest_end.empty()) return guest_end + ": " + said;
    return (clean ? "QEMU ended" : to_string(status)) + ": " + said;
  }
  if (guest_end.empty()) return to_string(status);
  // A guest that ends itself says why, if anywhere, on its console.
  if (serial_.last_line().empty()) return guest_end;
  return guest_end + "; last on its console: " + serial_.last_line();
}

}  // namespace cheshire
