// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Monotonic time in microseconds since boot, from the TSC.
//
// The frequency comes from, in this order: the command line, CPUID 0x40000010 (KVM, VMware), CPUID 0x15, a
// short comparison with the LAPIC timer. TCG gives the guest the host's TSC without a leaf that tells its
// frequency.
#pragma once

#include <cstdint>
#include <string_view>

namespace cheshire::grin {

class Clock {
 public:
  // The clock is zero at `zero_tsc`. Returns where the frequency is from, or an empty view if nothing tells
  // it. With may_measure a comparison of kMeasureUs may be made; it needs a LAPIC.
  [[nodiscard]] std::string_view init(uint64_t tsc_khz, bool may_measure, uint64_t zero_tsc);

  [[nodiscard]] uint64_t now_us() const;
  [[nodiscard]] uint64_t to_us(uint64_t tsc) const;
  [[nodiscard]] uint64_t tsc_khz() const { return tsc_khz_; }

 private:
  uint64_t base_tsc_ = 0;
  uint64_t tsc_khz_ = 0;
  uint64_t us_per_tick_ = 0;  // times 2^64
};

}  // namespace cheshire::grin
