// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qemu_binary.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "hypervisor/process/child_process.h"
#include "hypervisor/process/guest_output.h"

namespace cheshire {
namespace {

constexpr int kVersionTimeMaxMs = 5000;

// An empty string if there is no such program.
std::string find_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* variable = std::getenv("PATH");
  std::string_view path = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!path.empty()) {
    const size_t end = path.find(':');
    const std::string candidate = std::string(path.substr(0, end)) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return {};
}

// At most one buffer: what we want to know is in the first line.
std::string read_some(int fd) {
  std::array<char, 4096> buffer;
  const ssize_t size = read(fd, buffer.data(), buffer.size());
  return {buffer.data(), size > 0 ? static_cast<size_t>(size) : 0};
}

// "QEMU emulator version 7.2.22 (Debian …)" -> "7.2.22"
std::string version_in(const std::string& text) {
  constexpr std::string_view kBefore = "QEMU emulator version ";
  const size_t begin = text.find(kBefore);
  if (begin == std::string::npos) return {};
  const size_t first = begin + kBefore.size();
  return text.substr(first, text.find_first_of(" \n", first) - first);
}

}  // namespace

Result<QemuBinary> find_qemu(const std::string& name) {
  const std::string path = find_in_path(name);
  if (path.empty()) {
    return Error{ErrorCode::kNotFound, name + " is not there: install Debian's package qemu-system-x86"};
  }
  Result<ChildProcess> spawned =
      ChildProcess::spawn({.program = path, .arguments = {path, "--version"}, .inherited = {}});
  if (!spawned) return Error{spawned.error().code, "cannot run " + spawned.error().what};
  ChildProcess child = std::move(spawned).value();
  pollfd ended{.fd = child.pidfd(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, kVersionTimeMaxMs) <= 0) {
    return Error{ErrorCode::kUnavailable, path + " --version does not answer"};
  }
  const std::string version = version_in(read_some(child.out()));
  LastWords words;
  words.feed(read_some(child.err()));
  words.finish();
  const ExitStatus status = child.reap().value_or(ExitStatus{});
  if (version.empty()) {
    return Error{ErrorCode::kInternal, path + " --version does not answer as QEMU would: " +
                                           to_string(status) + " " + words.text()};
  }
  return QemuBinary{path, version};
}

}  // namespace cheshire
