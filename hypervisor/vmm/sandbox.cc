// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/sandbox.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "hypervisor/kvm_api/kvm_api.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

namespace cheshire {
namespace {

// Where the vCPU runs, sleeps and is woken first: the filter is a chain of comparisons.
constexpr std::array kCalls = {SYS_ppoll, SYS_read, SYS_recvfrom, SYS_sendto, SYS_write, SYS_rt_sigreturn,
                               SYS_poll,
                               // Where the C library has no clock without a call.
                               SYS_clock_gettime, SYS_gettimeofday, SYS_time,
                               // The connection to the data plane, and its return.
                               SYS_sendmsg, SYS_recvmsg, SYS_connect, SYS_close, SYS_fcntl, SYS_setitimer,
                               SYS_getpid, SYS_restart_syscall,
                               // Memory of the C library's; mmap below.
                               SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex,
                               // The end, and its words.
                               SYS_exit_group, SYS_exit, SYS_fstat, SYS_newfstatat, SYS_writev,
                               SYS_rt_sigprocmask, SYS_gettid, SYS_tgkill};

constexpr auto kIoctls = std::to_array<uint64_t>({KVM_RUN, KVM_SET_GSI_ROUTING, KVM_GET_REGS, KVM_TRANSLATE});

constexpr sock_filter load(size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
}
constexpr sock_filter skip_unless_equal(uint64_t value, uint8_t skip) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(value), 0, skip);
}
constexpr sock_filter result(uint32_t value) {
  return BPF_STMT(BPF_RET | BPF_K, value);
}
constexpr size_t low_half_of_argument(size_t index) {
  return offsetof(seccomp_data, args) + index * sizeof(uint64_t);
}
constexpr sock_filter kAllow = result(SECCOMP_RET_ALLOW);
constexpr sock_filter kKill = result(SECCOMP_RET_KILL_PROCESS);
constexpr sock_filter kLoadNumber = load(offsetof(seccomp_data, nr));

constexpr size_t kProlog = 4;
constexpr uint8_t kIoctlBlock = 3 + 2 * kIoctls.size();
constexpr uint8_t kSocketBlock = 5;
constexpr uint8_t kMmapBlock = 5;
constexpr size_t kLength = kProlog + kIoctlBlock + 2 * kCalls.size() + kSocketBlock + kMmapBlock + 1;

consteval std::array<sock_filter, kLength> make_filter() {
  std::array<sock_filter, kLength> filter{};
  size_t at = 0;
  const auto add = [&](sock_filter statement) { filter[at++] = statement; };
  // Numbers mean something for one architecture only.
  add(load(offsetof(seccomp_data, arch)));
  add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  add(kKill);
  add(kLoadNumber);
  // Each block leaves the number where it was if it is not its own.
  add(skip_unless_equal(SYS_ioctl, kIoctlBlock - 1));
  add(load(low_half_of_argument(1)));
  for (const uint64_t request : kIoctls) {
    add(skip_unless_equal(request, 1));
    add(kAllow);
  }
  add(kKill);
  for (const long call : kCalls) {
    add(skip_unless_equal(static_cast<uint64_t>(call), 1));
    add(kAllow);
  }
  add(skip_unless_equal(SYS_socket, kSocketBlock - 1));
  add(load(low_half_of_argument(0)));
  add(skip_unless_equal(AF_UNIX, 1));
  add(kAllow);
  add(kKill);
  add(skip_unless_equal(SYS_mmap, kMmapBlock - 1));
  add(load(low_half_of_argument(2)));
  add(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0));
  add(kAllow);
  add(kKill);
  add(kKill);
  return filter;
}
constexpr std::array<sock_filter, kLength> kFilter = make_filter();
static_assert(kFilter.back().k == SECCOMP_RET_KILL_PROCESS);

}  // namespace

std::span<const sock_filter> sandbox_filter() {
  return kFilter;
}

bool sandbox_is_left_out() {
  return kSanitized;
}

Result<void> enter_sandbox() {
  if (sandbox_is_left_out()) return {};
  const sock_fprog program{.len = kFilter.size(), .filter = const_cast<sock_filter*>(kFilter.data())};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) {
    return {};
  }
  return Error{ErrorCode::kUnavailable, std::string("seccomp: ") + std::strerror(errno)};
}

}  // namespace cheshire
