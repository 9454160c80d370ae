// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Registers of the local APIC (Intel SDM volume 3, 11.4) and of the IOAPIC, in xAPIC mode.
#pragma once

#include <cstdint>

namespace cheshire::grin::lapic {

inline constexpr uintptr_t kBase = 0xfee0'0000;
inline constexpr uintptr_t kSpurious = kBase + 0xf0;
inline constexpr uintptr_t kId = kBase + 0x20;
inline constexpr uintptr_t kTimerEntry = kBase + 0x320;
inline constexpr uintptr_t kLint0Entry = kBase + 0x350;
inline constexpr uintptr_t kTimerInitialCount = kBase + 0x380;
inline constexpr uintptr_t kTimerCurrentCount = kBase + 0x390;
inline constexpr uintptr_t kTimerDivide = kBase + 0x3e0;

inline constexpr uint32_t kMasked = 1U << 16;
inline constexpr uint32_t kDivideByOne = 0b1011;
inline constexpr uint32_t kSoftwareEnable = 1U << 8;

// KVM (APIC_BUS_CYCLE_NS) and QEMU's TCG both run the timer at one tick per nanosecond when dividing by one.
// There is no architectural way to ask, and bare metal is not where grin runs.
inline constexpr uint32_t kTicksPerMicrosecond = 1000;

// Vectors of start.S.
inline constexpr uint32_t kWakeVector = 32;
inline constexpr uint32_t kSpuriousVector = 33;

inline constexpr uintptr_t kIoapicSelect = 0xfec0'0000;
inline constexpr uintptr_t kIoapicWindow = 0xfec0'0010;
inline constexpr uint32_t kIoapicRedirection = 0x10;

}  // namespace cheshire::grin::lapic
