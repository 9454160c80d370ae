// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/idle.h"

#include "unikernel/abi.h"
#include "unikernel/io.h"
#include "unikernel/lapic.h"

namespace cheshire::grin {
namespace {

// The count register has 32 bits; a longer wait just wakes up in between.
constexpr uint64_t kTimerMaxUs = 0xffff'ffffU / lapic::kTicksPerMicrosecond;

void route_irq(uint32_t irq) {
  const uint32_t entry = lapic::kIoapicRedirection + 2 * irq;
  const uint32_t own_id = mmio_read32(lapic::kId) & 0xff00'0000;
  mmio_write32(lapic::kIoapicSelect, entry + 1);
  mmio_write32(lapic::kIoapicWindow, own_id);
  // Edge triggered, fixed delivery, not masked. Edge, so that the handler need not know the device: the line
  // stays up until the main loop acknowledges it, and what comes after that is a new edge.
  mmio_write32(lapic::kIoapicSelect, entry);
  mmio_write32(lapic::kIoapicWindow, lapic::kWakeVector);
}

}  // namespace

void Idle::init(IdleMethod method, uint32_t irq) {
  method_ = method;
  if (method != IdleMethod::kHalt) return;
  mmio_write32(lapic::kLint0Entry, lapic::kMasked);
  mmio_write32(lapic::kSpurious, lapic::kSoftwareEnable | lapic::kSpuriousVector);
  mmio_write32(lapic::kTimerDivide, lapic::kDivideByOne);
  mmio_write32(lapic::kTimerEntry, lapic::kWakeVector);  // one shot
  route_irq(irq);
}

void Idle::wait(uint64_t max_us) {
  if (max_us == 0) return;
  if (method_ == IdleMethod::kPort) {
    const uint64_t longest_us = cheshire::abi::kIdleForever - 1;
    const bool forever = max_us == kNoDeadline;
    out32(cheshire::abi::kIdlePort, forever
                                        ? cheshire::abi::kIdleForever
                                        : static_cast<uint32_t>(max_us < longest_us ? max_us : longest_us));
    return;
  }
  if (max_us != kNoDeadline) {
    const auto timer_us = static_cast<uint32_t>(max_us < kTimerMaxUs ? max_us : kTimerMaxUs);
    mmio_write32(lapic::kTimerInitialCount, timer_us * lapic::kTicksPerMicrosecond);
  }
  // The shadow of sti covers hlt: no interrupt can slip in between and be lost.
  asm volatile("sti; hlt; cli" : : : "memory");
  if (max_us != kNoDeadline) mmio_write32(lapic::kTimerInitialCount, 0);
}

}  // namespace cheshire::grin
