// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/process/vm_process.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace cheshire {
namespace {

constexpr size_t kReadBytes = 4096;
constexpr int kReadsPerTurnMax = 4;  // a guest that floods its console must not starve the others
constexpr int kReadsAtEndMax = 64;   // what a pipe of 64 KiB can hold, and some

}  // namespace

VmProcess::VmProcess(const BootOrder& order, ChildProcess child)
    : id_(order.id), child_(std::move(child)), serial_(order.name) {}

int VmProcess::descriptor(Source source) const {
  switch (source) {
    case Source::kProcess:
      return child_.pidfd();
    case Source::kSerial:
      return child_.out();
    case Source::kStderr:
      return child_.err();
    case Source::kControl:
      return control_fd();
  }
  return -1;
}

bool VmProcess::on_ready(Source source, uint64_t now_ns) {
  switch (source) {
    case Source::kProcess:
      on_process_ended(now_ns);
      return !exit_reason_.has_value();
    case Source::kSerial:
    case Source::kStderr:
      return read_output(source, kReadsPerTurnMax, now_ns);
    case Source::kControl:
      return read_control();
  }
  return false;
}

bool VmProcess::read_output(Source source, int reads_max, uint64_t now_ns) {
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

void VmProcess::on_time(uint64_t now_ns) {
  if (now_ns < kill_at_ns_) return;
  kill_at_ns_ = kNever;
  child_.kill();
}

void VmProcess::stop(uint64_t now_ns, uint64_t grace_ns) {
  if (end_ordered_) return;
  end_ordered_ = true;
  if (ask_to_end()) {
    kill_at_ns_ = now_ns + grace_ns;
  } else {
    child_.kill();
  }
}

void VmProcess::on_process_ended(uint64_t now_ns) {
  // What it said at the end is still in the pipes, which reap() closes.
  (void)read_control();
  (void)read_output(Source::kSerial, kReadsAtEndMax, now_ns);
  (void)read_output(Source::kStderr, kReadsAtEndMax, now_ns);
  const std::optional<ExitStatus> status = child_.reap();
  if (!status) return;
  serial_.finish(now_ns);
  stderr_.finish();
  kill_at_ns_ = kNever;
  exit_reason_ = end_ordered_ ? "stopped" : explain(*status);
}

std::string VmProcess::with_last_console_line(std::string reason) const {
  if (!serial_.last_line().empty()) reason += "; last on its console: " + serial_.last_line();
  return reason;
}

}  // namespace cheshire
