// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm/kvm_check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <vector>

#include "hypervisor/kvm_api/cpuid_table.h"
#include "hypervisor/kvm_api/kvm_api.h"
#include "hypervisor/process/child_process.h"
#include "units.h"

namespace cheshire {
namespace {

constexpr int kCheckMaxMs = 3000;
constexpr const char* kProgramName = "cheshire-vmm";

bool can_run(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

std::string directory_of_own_program() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (size <= 0) return ".";
  const std::string text(path.data(), static_cast<size_t>(size));
  return text.substr(0, text.rfind('/'));
}

// Installed, and in a build directory from the daemon's place and from that of tests and benchmarks.
std::vector<std::string> places() {
  const std::string own = directory_of_own_program();
  std::vector<std::string> list = {own + "/", own + "/hypervisor/", own + "/../hypervisor/",
                                   own + "/../../hypervisor/", own + "/../libexec/cheshire/"};
  std::istringstream path(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string place; std::getline(path, place, ':');) list.push_back(place + "/");
  return list;
}

struct Needed {
  int capability;
  const char* name;
};
constexpr std::array kNeeded = {
    Needed{KVM_CAP_USER_MEMORY, "user memory"},       Needed{KVM_CAP_SPLIT_IRQCHIP, "split irqchip"},
    Needed{KVM_CAP_IOEVENTFD, "ioeventfd"},           Needed{KVM_CAP_IRQFD, "irqfd"},
    Needed{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
};

std::string read_some(int fd) {
  std::array<char, 512> buffer;
  const ssize_t size = ::read(fd, buffer.data(), buffer.size());
  std::string text(buffer.data(), size > 0 ? static_cast<size_t>(size) : 0);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

Result<std::string> find_vmm(const std::string& wanted) {
  if (!wanted.empty()) {
    if (can_run(wanted)) return wanted;
    return Error{ErrorCode::kNotFound, wanted + " cannot be run: " + std::strerror(errno)};
  }
  for (const std::string& place : places()) {
    if (can_run(place + kProgramName)) return place + kProgramName;
  }
  return Error{ErrorCode::kNotFound, "cheshire-vmm is neither beside this program nor in PATH"};
}

Result<UniqueFd> open_kvm() {
  UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!kvm.valid()) {
    const bool forbidden = errno == EACCES || errno == EPERM;
    return Error{forbidden ? ErrorCode::kUnavailable : ErrorCode::kNotFound,
                 std::string("/dev/kvm: ") + std::strerror(errno) +
                     (forbidden ? "; be root or in the group kvm" : "")};
  }
  if (kvm_call(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
    return Error{ErrorCode::kUnavailable, "/dev/kvm is of an unknown API version"};
  }
  for (const Needed& needed : kNeeded) {
    if (kvm_call(kvm.get(), KVM_CHECK_EXTENSION, needed.capability) <= 0) {
      return Error{ErrorCode::kUnavailable, std::string("this KVM has no ") + needed.name};
    }
  }
  return kvm;
}

Result<UniqueFd> save_cpuid(int kvm) {
  auto entries = supported_cpuid(kvm);
  if (!entries) return entries.error();
  const size_t size = entries.value().size() * sizeof(kvm_cpuid_entry2);
  UniqueFd file(::memfd_create("cpuid", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid() || ::write(file.get(), entries.value().data(), size) != static_cast<ssize_t>(size) ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return Error{ErrorCode::kUnavailable, std::string("CPUID table: ") + std::strerror(errno)};
  }
  return file;
}

Result<KvmFindings> check_kvm(const std::string& program) {
  Result<ChildProcess> child =
      ChildProcess::spawn({.program = program, .arguments = {kProgramName, "--check"}, .inherited = {}});
  if (!child) return child.error();
  pollfd end{.fd = child.value().pidfd(), .events = POLLIN, .revents = 0};
  const uint64_t deadline_ns = monotonic_ns() + kCheckMaxMs * kNsPerMs;
  while (end.revents == 0 && monotonic_ns() < deadline_ns) (void)::poll(&end, 1, kCheckMaxMs);
  if (end.revents == 0) return Error{ErrorCode::kUnavailable, "KVM does not work: a guest hung for 3 s"};
  const std::string words = read_some(child.value().err());
  Result<KvmFindings> findings = parse_findings(read_some(child.value().out()));
  const auto status = child.value().reap();
  if (findings) return findings;
  return Error{ErrorCode::kUnavailable,
               "KVM does not work: " + (words.empty() && status ? to_string(*status) : words)};
}

}  // namespace cheshire
