// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Waiting without burning host CPU, and the interrupt set-up which that needs.
#pragma once

#include <cstdint>

#include "unikernel/cmdline.h"

namespace cheshire::grin {

inline constexpr uint64_t kNoDeadline = ~uint64_t{0};

class Idle {
 public:
  // With kHalt: unmasks `irq` in the IOAPIC and arms nothing yet. With kPort: touches no interrupt
  // controller, there may be none.
  void init(IdleMethod method, uint32_t irq);

  // Sleeps until an interrupt (or the VMM) says that the device has news, or max_us have passed; may return
  // early. Interrupts are off before and after. Work that shows up between the caller's last look and the
  // sleep is not missed: interrupts stay pending until `sti; hlt`, and abi.h asks the same of the VMM.
  void wait(uint64_t max_us);

 private:
  IdleMethod method_ = IdleMethod::kPort;
};

}  // namespace cheshire::grin
