// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/vm.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "check.h"
#include "hypervisor/kvm_api/cpuid_table.h"
#include "hypervisor/vmm/cpu_setup.h"
#include "hypervisor/vmm/machine.h"

namespace cheshire {
namespace {

// kvm_irq_routing with its entry in one piece, as the kernel wants it. C++ has no words for an array without a
// length inside of another struct.
struct OneRoute {
  uint32_t count = 0;
  uint32_t flags = 0;
  kvm_irq_routing_entry entry{};
};
static_assert(offsetof(OneRoute, entry) == sizeof(kvm_irq_routing));

Result<void> make_chips(int vm, InterruptChips chips) {
  if (chips == InterruptChips::kSplit) {
    kvm_enable_cap split{};
    split.cap = KVM_CAP_SPLIT_IRQCHIP;
    split.args[0] = kIoapicLines;
    if (kvm_call(vm, KVM_ENABLE_CAP, &split) != 0) return kvm_error("KVM_CAP_SPLIT_IRQCHIP");
    return {};
  }
  if (kvm_call(vm, KVM_CREATE_IRQCHIP, 0) != 0) return kvm_error("KVM_CREATE_IRQCHIP");
  const kvm_pit_config pit{};
  if (kvm_call(vm, KVM_CREATE_PIT2, &pit) != 0) return kvm_error("KVM_CREATE_PIT2");
  return {};
}

}  // namespace

Result<Vm> Vm::create(int kvm, const GuestMemory& memory, InterruptChips chips) {
  Vm vm{UniqueFd(kvm_call(kvm, KVM_CREATE_VM, 0))};
  if (!vm.fd_.valid()) return kvm_error("KVM_CREATE_VM");
  const kvm_userspace_memory_region region{
      .slot = 0,
      .guest_phys_addr = 0,
      .memory_size = memory.size_bytes(),
      .userspace_addr = reinterpret_cast<uint64_t>(memory.base()),
  };
  if (kvm_call(vm.fd_.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0) {
    return kvm_error("KVM_SET_USER_MEMORY_REGION");
  }
  // Intel CPUs without unrestricted guests need it; elsewhere it means nothing, and may be refused.
  (void)kvm_call(vm.fd_.get(), KVM_SET_TSS_ADDR, kTaskStateAddress);
  if (Result<void> made = make_chips(vm.fd_.get(), chips); !made) return made.error();
  return vm;
}

Vm::Vm(Vm&& other) noexcept
    : fd_(std::move(other.fd_)),
      vcpu_(std::move(other.vcpu_)),
      run_(std::exchange(other.run_, nullptr)),
      run_bytes_(other.run_bytes_),
      kept_(other.kept_) {}

Vm::~Vm() {
  if (run_ != nullptr) ::munmap(run_, run_bytes_);
}

Result<void> Vm::add_vcpu(int kvm, std::span<const kvm_cpuid_entry2> supported_cpuid) {
  vcpu_.reset(kvm_call(fd_.get(), KVM_CREATE_VCPU, 0));
  if (!vcpu_.valid()) return kvm_error("KVM_CREATE_VCPU");
  const int run_bytes = kvm_call(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (run_bytes < static_cast<int>(sizeof(kvm_run))) return kvm_error("KVM_GET_VCPU_MMAP_SIZE");
  run_bytes_ = static_cast<size_t>(run_bytes);
  void* run = ::mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_.get(), 0);
  if (run == MAP_FAILED) return kvm_error("mapping the vCPU");
  run_ = static_cast<kvm_run*>(run);

  const int tsc_khz = kvm_call(vcpu_.get(), KVM_GET_TSC_KHZ, 0);
  const std::vector<kvm_cpuid_entry2> entries =
      guest_cpuid(supported_cpuid, tsc_khz > 0 ? static_cast<uint32_t>(tsc_khz) : 0);
  if (entries.size() > kCpuidEntriesMax)
    return Error{ErrorCode::kLimit, "KVM has more than 256 CPUID leaves"};
  CpuidTable table;
  table.count = static_cast<uint32_t>(entries.size());
  std::copy(entries.begin(), entries.end(), table.entries.begin());
  if (kvm_call(vcpu_.get(), KVM_SET_CPUID2, &table) != 0) return kvm_error("KVM_SET_CPUID2");
  return {};
}

Result<void> Vm::set_entry(EntryKind kind, GuestAddress entry, uint64_t command_line_bytes) {
  kvm_sregs reset;
  if (kvm_call(vcpu_.get(), KVM_GET_SREGS, &reset) != 0) return kvm_error("KVM_GET_SREGS");
  const kvm_sregs sregs = system_registers(kind, reset);
  if (kvm_call(vcpu_.get(), KVM_SET_SREGS, &sregs) != 0) return kvm_error("KVM_SET_SREGS");
  const kvm_regs regs = entry_registers(kind, entry, command_line_bytes);
  if (kvm_call(vcpu_.get(), KVM_SET_REGS, &regs) != 0) return kvm_error("KVM_SET_REGS");
  return {};
}

Result<void> Vm::bind_doorbell(int event, uint64_t address, uint32_t queue) {
  const kvm_ioeventfd doorbell{.datamatch = queue,
                               .addr = address,
                               .len = sizeof(uint32_t),
                               .fd = event,
                               .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};
  if (kvm_call(fd_.get(), KVM_IOEVENTFD, &doorbell) != 0) return kvm_error("KVM_IOEVENTFD");
  return {};
}

Result<void> Vm::bind_line(int event, uint32_t line) {
  const kvm_irqfd irqfd{.fd = static_cast<uint32_t>(event), .gsi = line};
  if (kvm_call(fd_.get(), KVM_IRQFD, &irqfd) != 0) return kvm_error("KVM_IRQFD");
  return {};
}

Result<void> Vm::route(uint32_t line, const std::optional<MsiMessage>& message) {
  OneRoute table;
  if (message) {
    table.count = 1;
    table.entry.gsi = line;
    table.entry.type = KVM_IRQ_ROUTING_MSI;
    table.entry.u.msi.address_lo = message->address;
    table.entry.u.msi.data = message->data;
  }
  if (kvm_call(fd_.get(), KVM_SET_GSI_ROUTING, &table) != 0) return kvm_error("KVM_SET_GSI_ROUTING");
  return {};
}

void Vm::collect_writes(uint64_t address, uint32_t size_bytes) {
  const int page = kvm_call(fd_.get(), KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
  const auto offset = static_cast<size_t>(std::max(page, 0)) * kGuestPageBytes;
  if (offset == 0 || offset + kGuestPageBytes > run_bytes_) return;
  kvm_coalesced_mmio_zone zone{};
  zone.addr = address;
  zone.size = size_bytes;
  if (kvm_call(fd_.get(), KVM_REGISTER_COALESCED_MMIO, &zone) != 0) return;
  kept_ = reinterpret_cast<kvm_coalesced_mmio_ring*>(reinterpret_cast<std::byte*>(run_) + offset);
}

bool Vm::run() {
  return kvm_call(vcpu_.get(), KVM_RUN, 0) == 0;
}

Result<void> Vm::single_step() {
  kvm_guest_debug debug{};
  debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
  if (kvm_call(vcpu_.get(), KVM_SET_GUEST_DEBUG, &debug) != 0) return kvm_error("KVM_SET_GUEST_DEBUG");
  return {};
}

Result<kvm_regs> Vm::registers() const {
  kvm_regs regs;
  if (kvm_call(vcpu_.get(), KVM_GET_REGS, &regs) != 0) return kvm_error("KVM_GET_REGS");
  return regs;
}

std::optional<GuestAddress> Vm::translate(uint64_t linear) const {
  kvm_translation translation{};
  translation.linear_address = linear;
  if (kvm_call(vcpu_.get(), KVM_TRANSLATE, &translation) != 0 || translation.valid == 0) return std::nullopt;
  return GuestAddress{translation.physical_address};
}

}  // namespace cheshire
