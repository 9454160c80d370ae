// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The registers of an IOAPIC (82093AA), for a VM whose kernel has only the local APIC: the guest programs
// where a line goes, we turn that into a message-signalled interrupt, and the kernel delivers it. Lines are
// edges: what pulses them (an irqfd) does not hold them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "hypervisor/vmm/machine.h"
#include "hypervisor/vmm/vm.h"

namespace cheshire {

class Ioapic {
 public:
  Ioapic() { redirections_.fill(kMasked); }

  [[nodiscard]] uint32_t read(uint64_t offset) const;
  // The line whose destination changed, if one did.
  [[nodiscard]] std::optional<uint32_t> write(uint64_t offset, uint32_t value);
  // Where the line goes; nullopt while it is masked.
  [[nodiscard]] std::optional<MsiMessage> message(uint32_t line) const;

 private:
  static constexpr uint64_t kMasked = uint64_t{1} << 16;

  uint8_t selected_ = 0;
  uint32_t id_ = 0;
  std::array<uint64_t, kIoapicLines> redirections_{};
};

}  // namespace cheshire
