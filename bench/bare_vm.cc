// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The floor of a start: a static program that makes a VM with the system calls that nobody can do without (VM,
// memory slot, interrupt controllers, vCPU, registers), lets its guest run as many instructions as it is told,
// and says that it is done. No sandbox, no image, no device, no network. It then waits for the next order. Its
// guest runs in real mode, which needs no tables.
#include "bench/bare_vm.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <ctime>

#include "hypervisor/kvm_api/kvm_api.h"
#include "units.h"

namespace cheshire::bench {
namespace {

constexpr size_t kMemoryBytes = 16 * kMiB;  // as boot_bench gives to the kvm driver's
constexpr uint64_t kCodeAddress = 0x1000;
constexpr uint64_t kRoundsAddress = 0x2000;
constexpr uint32_t kIoapicLines = 24;
// mov cx, [0x2000]; again: dec cx; jnz again; out 0x10, al; jmp to the first
constexpr unsigned char kCode[] = {0x8b, 0x0e, 0x00, 0x20, 0x49, 0x75, 0xfd, 0xe6, 0x10, 0xeb, 0xf5};
constexpr uint64_t kStepsOfARound = 2;
constexpr uint64_t kRoundsMax = 0xffff;

uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_nsec);
}

// Tells who ordered that it is over.
[[noreturn]] void fail(const char* call) {
  BareVmAnswer answer;
  std::strncpy(answer.failed, call, sizeof(answer.failed) - 1);
  static_cast<void>(::send(kBareVmSocket, &answer, sizeof(answer), MSG_NOSIGNAL) < 0);
  ::_exit(1);
}

struct BareVm {
  int vcpu = -1;
  kvm_run* run = nullptr;
  char* memory = nullptr;
};

BareVm make() {
  BareVm bare;
  const int kvm = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) fail("/dev/kvm");
  const int vm = kvm_call(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) fail("KVM_CREATE_VM");
  const int file = ::memfd_create("bare", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, kMemoryBytes) != 0) fail("memfd_create");
  void* const memory = ::mmap(nullptr, kMemoryBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) fail("mmap");
  bare.memory = static_cast<char*>(memory);
  std::memcpy(bare.memory + kCodeAddress, kCode, sizeof(kCode));
  const kvm_userspace_memory_region region{
      .slot = 0, .memory_size = kMemoryBytes, .userspace_addr = reinterpret_cast<uint64_t>(memory)};
  if (kvm_call(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0) fail("SET_USER_MEMORY_REGION");
  kvm_enable_cap split{};
  split.cap = KVM_CAP_SPLIT_IRQCHIP;
  split.args[0] = kIoapicLines;
  if (kvm_call(vm, KVM_ENABLE_CAP, &split) != 0) fail("CAP_SPLIT_IRQCHIP");
  bare.vcpu = kvm_call(vm, KVM_CREATE_VCPU, 0);
  const int run_bytes = kvm_call(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (bare.vcpu < 0 || run_bytes < 0) fail("KVM_CREATE_VCPU");
  void* const run =
      ::mmap(nullptr, static_cast<size_t>(run_bytes), PROT_READ | PROT_WRITE, MAP_SHARED, bare.vcpu, 0);
  if (run == MAP_FAILED) fail("mmap of the vCPU");
  bare.run = static_cast<kvm_run*>(run);
  kvm_sregs sregs;
  if (kvm_call(bare.vcpu, KVM_GET_SREGS, &sregs) != 0) fail("KVM_GET_SREGS");
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  if (kvm_call(bare.vcpu, KVM_SET_SREGS, &sregs) != 0) fail("KVM_SET_SREGS");
  kvm_regs regs{};
  regs.rip = kCodeAddress;
  regs.rflags = 2;
  if (kvm_call(bare.vcpu, KVM_SET_REGS, &regs) != 0) fail("KVM_SET_REGS");
  return bare;
}

BareVmAnswer obey(const BareVm& bare, const BareVmOrder& order) {
  const uint64_t rounds = order.guest_steps / kStepsOfARound;
  const auto told = static_cast<uint16_t>(rounds < 1 ? 1 : rounds > kRoundsMax ? kRoundsMax : rounds);
  std::memcpy(bare.memory + kRoundsAddress, &told, sizeof(told));
  const uint64_t began_ns = now_ns();
  if (kvm_call(bare.vcpu, KVM_RUN, 0) != 0) fail("KVM_RUN");
  if (bare.run->exit_reason != KVM_EXIT_IO) fail("the guest did not say it");
  return {.in_kvm_run_ns = now_ns() - began_ns};
}

int run() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const BareVm bare = make();
  BareVmOrder order;
  while (::recv(kBareVmSocket, &order, sizeof(order), 0) == sizeof(order)) {
    const BareVmAnswer answer = obey(bare, order);
    if (::send(kBareVmSocket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer)) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace cheshire::bench

int main() {
  return cheshire::bench::run();
}
