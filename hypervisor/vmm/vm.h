// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One VM of the kernel's with one vCPU.
//
// The order is the point (measured on the development machine): the memory slot comes first, because a slot
// that is set after anything was registered on the VM's I/O bus waits 7 ms; then the interrupt controllers,
// because a vCPU without any costs 180 us more; then the vCPU; then doorbells and lines.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "handle.h"
#include "hypervisor/kvm_api/kvm_api.h"
#include "hypervisor/vmm/elf_image.h"
#include "hypervisor/vmm/guest_memory.h"
#include "result.h"

namespace cheshire {

enum class InterruptChips : uint8_t {
  kSplit,  // local APIC in the kernel; IOAPIC here (ioapic.h): cheap, for guests that ask for no more
  kFull,   // 8259, IOAPIC and PIT in the kernel: for guests made for PCs
};

// A message-signalled interrupt, as an IOAPIC entry turns into (Intel SDM volume 3, 10.11).
struct MsiMessage {
  uint32_t address = 0;
  uint32_t data = 0;
};

class Vm {
 public:
  // `kvm` is an open /dev/kvm. `memory` must outlive the VM.
  [[nodiscard]] static Result<Vm> create(int kvm, const GuestMemory& memory, InterruptChips chips);
  Vm(Vm&& other) noexcept;
  Vm& operator=(Vm&&) = delete;
  ~Vm();

  [[nodiscard]] Result<void> add_vcpu(int kvm, std::span<const kvm_cpuid_entry2> supported_cpuid);
  [[nodiscard]] Result<void> set_entry(EntryKind kind, GuestAddress entry, uint64_t command_line_bytes);
  // Writing `queue` to the 32 bits at `address` rings `event`, without an exit.
  [[nodiscard]] Result<void> bind_doorbell(int event, uint64_t address, uint32_t queue);
  // `event` raises the line; with kSplit, where route() says.
  [[nodiscard]] Result<void> bind_line(int event, uint32_t line);
  // Sends what raises the line to `message`; nullopt: to nobody.
  [[nodiscard]] Result<void> route(uint32_t line, const std::optional<MsiMessage>& message);

  // Writes to these registers need no answer: KVM keeps them, without an exit each, until the next one.
  // Where it cannot, they come one by one.
  void collect_writes(uint64_t address, uint32_t size_bytes);
  // Calls on_write(address, width_bytes, value) for what was kept, in order. Before any other exit is
  // handled.
  template <typename OnWrite>
  void take_writes(OnWrite&& on_write) {
    if (kept_ == nullptr) return;
    while (kept_->first != __atomic_load_n(&kept_->last, __ATOMIC_ACQUIRE)) {
      const kvm_coalesced_mmio& write = kept_->coalesced_mmio[kept_->first % kKeptWritesMax];
      uint64_t value = 0;
      std::memcpy(&value, write.data, write.len < sizeof value ? write.len : sizeof value);
      on_write(uint64_t{write.phys_addr}, uint32_t{write.len}, value);
      __atomic_store_n(&kept_->first, (kept_->first + 1) % kKeptWritesMax, __ATOMIC_RELEASE);
    }
  }

  // The shared page with the kernel; valid after add_vcpu().
  [[nodiscard]] kvm_run& exit() { return *run_; }
  // Runs the guest until it exits. False: errno says why; EINTR is a signal, or exit().immediate_exit.
  [[nodiscard]] bool run();
  // From now on every instruction ends with KVM_EXIT_DEBUG; for tools that count them.
  [[nodiscard]] Result<void> single_step();
  [[nodiscard]] Result<kvm_regs> registers() const;
  // Where a guest's linear address lies; nullopt if it is not mapped.
  [[nodiscard]] std::optional<GuestAddress> translate(uint64_t linear) const;

 private:
  static constexpr uint32_t kKeptWritesMax =
      (kGuestPageBytes - sizeof(kvm_coalesced_mmio_ring)) / sizeof(kvm_coalesced_mmio);

  explicit Vm(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  UniqueFd vcpu_;
  kvm_run* run_ = nullptr;
  size_t run_bytes_ = 0;
  kvm_coalesced_mmio_ring* kept_ = nullptr;  // behind *run_; nullptr: this KVM keeps none
};

}  // namespace cheshire
