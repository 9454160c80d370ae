// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// `cheshire-vmm --check`: the built-in guest.
#include "hypervisor/vmm/self_check.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "hypervisor/kvm_api/cpuid_table.h"
#include "hypervisor/vmm/boot_parameters.h"
#include "hypervisor/vmm/cpu_setup.h"
#include "hypervisor/vmm/machine.h"
#include "hypervisor/vmm/vm.h"
#include "units.h"

namespace cheshire {
namespace {

constexpr uint64_t kMemoryBytes = 4 * kMiB;
constexpr GuestAddress kCodeAddress{0x10'0000};
constexpr GuestAddress kHandlerAddress{0x10'0100};
constexpr GuestAddress kInterruptTableAddress{0x10'1000};
constexpr GuestAddress kTablePointerAddress{0x10'0200};
constexpr uint64_t kMappedBytes = 4 * kGiB;  // the local APIC is at the top
constexpr uint32_t kCountDown = 2000;
constexpr uint32_t kVector = 32;
constexpr uint16_t kTellPort = 0xe1;
enum Told : uint8_t { kStarted = 1, kCounted = 2, kSleeps = 3, kWoken = 4 };

// 64-bit code, assembled by hand: there is no toolchain at run time, and it is 20 instructions.
constexpr auto kCode = std::to_array<uint8_t>({
    0xb0,
    kStarted,
    0xe6,
    kTellPort,  // mov al, kStarted; out
    0xb9,
    kCountDown & 0xff,
    kCountDown >> 8,
    0,
    0,  // mov ecx, kCountDown
    0xff,
    0xc9,
    0x75,
    0xfc,  // 1: dec ecx; jnz 1b
    0xb0,
    kCounted,
    0xe6,
    kTellPort,  //
    0xb8,
    0xf0,
    0x00,
    0xe0,
    0xfe,  // mov eax, spurious vector register
    0xc7,
    0x00,
    0xff,
    0x01,
    0x00,
    0x00,  // mov dword [rax], enable | 255
    0x0f,
    0x01,
    0x1c,
    0x25,
    0x00,
    0x02,
    0x10,
    0x00,  // lidt [kTablePointerAddress]
    0xb0,
    kSleeps,
    0xe6,
    kTellPort,  //
    0xfb,
    0xf4,
    0xfa,  // sti; hlt; cli
    0xb0,
    kWoken,
    0xe6,
    kTellPort,  //
    0xf4,       // hlt
});
constexpr auto kHandler = std::to_array<uint8_t>({
    0xb8, 0xb0, 0x00, 0xe0, 0xfe,        // mov eax, end of interrupt register
    0xc7, 0x00, 0x00, 0x00, 0x00, 0x00,  // mov dword [rax], 0
    0x48, 0xcf,                          // iretq
});
static_assert(kTablePointerAddress.value == 0x10'0200);

struct Gate {  // Intel SDM volume 3, 6.14.1
  uint16_t offset_low;
  uint16_t selector;
  uint16_t flags;
  uint16_t offset_middle;
  uint64_t rest;
};
static_assert(sizeof(Gate) == 16);
struct [[gnu::packed]] TablePointer {
  uint16_t limit;
  uint64_t base;
};

template <typename T>
void put(const GuestMemory& memory, uint64_t address, const T& value) {
  const std::span<std::byte> to = memory.at({address}, sizeof value);
  CHECK(to.size() == sizeof value);
  std::memcpy(to.data(), &value, sizeof value);
}

void write_guest(const GuestMemory& memory) {
  put(memory, kCodeAddress.value, kCode);
  put(memory, kHandlerAddress.value, kHandler);
  put(memory, kInterruptTableAddress.value + kVector * sizeof(Gate),
      Gate{.offset_low = kHandlerAddress.value & 0xffff,
           .selector = 0x08,
           .flags = 0x8e00,
           .offset_middle = kHandlerAddress.value >> 16,
           .rest = 0});
  put(memory, kTablePointerAddress.value,
      TablePointer{.limit = (kVector + 1) * sizeof(Gate) - 1, .base = kInterruptTableAddress.value});
  put(memory, kDescriptorTableAddress.value, kBootDescriptors);
  const IdentityMap map = identity_map(kMappedBytes);
  put(memory, kPageMapAddress.value, map.page_map_entry);
  const uint64_t pointers = kPageMapAddress.value + kGuestPageBytes;
  for (uint64_t i = 0; i < map.directories; ++i) put(memory, pointers + 8 * i, map.directory_pointer(i));
  const uint64_t entries = pointers + kGuestPageBytes;
  for (uint64_t i = 0; i < map.large_pages; ++i) put(memory, entries + 8 * i, map.directory_entry(i));
}

// Runs until the guest tells something.
Result<uint8_t> run_to_word(Vm& vm) {
  if (!vm.run()) return kvm_error("KVM_RUN");
  const kvm_run& exit = vm.exit();
  if (exit.exit_reason != KVM_EXIT_IO || exit.io.port != kTellPort) {
    return Error{ErrorCode::kUnavailable,
                 "the guest of the check ended with exit " + std::to_string(exit.exit_reason)};
  }
  return *(reinterpret_cast<const uint8_t*>(&exit) + exit.io.data_offset);
}

Result<void> expect(Vm& vm, Told wanted) {
  const auto told = run_to_word(vm);
  if (!told) return told.error();
  if (told.value() == wanted) return {};
  return Error{ErrorCode::kUnavailable, "the guest of the check computes wrongly"};
}

// Rings from another process while the vCPU sleeps, and sees that it wakes. Bounded by whoever started us.
bool wakes_from_halt(Vm& vm, int event) {
  const pid_t ringer = ::fork();
  if (ringer < 0) return false;
  if (ringer == 0) {
    ::usleep(2000);
    const uint64_t one = 1;
    (void)!::write(event, &one, sizeof one);
    ::_exit(0);
  }
  const bool woken = expect(vm, kWoken).ok();
  ::waitpid(ringer, nullptr, 0);
  return woken;
}

}  // namespace

Result<KvmFindings> check_kvm_here() {
  const UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!kvm.valid()) return kvm_error("/dev/kvm");
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  auto memory = GuestMemory::create(kMemoryBytes, false);
  if (!memory) return memory.error();
  write_guest(memory.value());
  auto vm = Vm::create(kvm.get(), memory.value(), InterruptChips::kSplit);
  if (!vm) return vm.error();
  auto cpuid = supported_cpuid(kvm.get());
  if (!cpuid) return cpuid.error();
  if (auto added = vm.value().add_vcpu(kvm.get(), cpuid.value()); !added) return added.error();
  if (auto set = vm.value().set_entry(EntryKind::kLinux64, kCodeAddress, 0); !set) return set.error();
  constexpr MsiMessage kToVector{.address = 0xfee0'0000, .data = kVector};
  const bool bound = vm.value().bind_line(event.get(), kNetDeviceLine).ok() &&
                     vm.value().route(kNetDeviceLine, kToVector).ok();
  if (auto started = expect(vm.value(), kStarted); !started) return started.error();
  const uint64_t begin_ns = monotonic_ns();
  if (auto counted = expect(vm.value(), kCounted); !counted) return counted.error();
  const uint64_t took_ns = monotonic_ns() - begin_ns;
  KvmFindings findings{.instruction_ps = took_ns * 1000 / (2 * kCountDown)};
  if (auto sleeps = expect(vm.value(), kSleeps); !sleeps) return findings;
  findings.halt_wakes = bound && wakes_from_halt(vm.value(), event.get());
  return findings;
}

}  // namespace cheshire
