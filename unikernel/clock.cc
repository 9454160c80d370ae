// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/clock.h"

#include "unikernel/abi.h"
#include "unikernel/io.h"
#include "unikernel/lapic.h"

namespace cheshire::grin {
namespace {

// 200 us give a frequency within about 0.1 %: a pair of readings is good to about 0.1 us.
constexpr uint32_t kMeasureUs = 200;
// Of several readings of a pair the one that took least time is kept: a vCPU can lose its core in between.
constexpr int kPairTries = 4;

struct TimerPair {
  uint64_t tsc;
  uint32_t count;
};

TimerPair read_pair() {
  TimerPair best{};
  uint64_t best_ticks = ~uint64_t{0};
  for (int i = 0; i < kPairTries; ++i) {
    const uint64_t before = read_tsc();
    const uint32_t count = mmio_read32(lapic::kTimerCurrentCount);
    const uint64_t ticks = read_tsc() - before;
    if (ticks >= best_ticks) continue;
    best_ticks = ticks;
    best = {before + ticks / 2, count};
  }
  return best;
}

uint64_t measure_tsc_khz() {
  mmio_write32(lapic::kTimerDivide, lapic::kDivideByOne);
  mmio_write32(lapic::kTimerEntry, lapic::kMasked);
  mmio_write32(lapic::kTimerInitialCount, 0xffff'ffff);
  const TimerPair first = read_pair();
  constexpr uint32_t kTicks = kMeasureUs * lapic::kTicksPerMicrosecond;
  // Bounded: a timer that stands still must not hang the boot.
  for (int i = 0; i < 1'000'000; ++i) {
    if (first.count - mmio_read32(lapic::kTimerCurrentCount) >= kTicks) break;
  }
  const TimerPair second = read_pair();
  mmio_write32(lapic::kTimerInitialCount, 0);
  const uint64_t timer_ticks = first.count - second.count;
  if (timer_ticks < kTicks) return 0;
  return (second.tsc - first.tsc) * lapic::kTicksPerMicrosecond * 1000 / timer_ticks;
}

uint64_t hypervisor_tsc_khz() {
  constexpr uint32_t kHypervisorLeaf = 0x4000'0000;
  const uint32_t last = cpuid(kHypervisorLeaf).eax;
  if (last < cheshire::abi::kTimingCpuidLeaf || last > kHypervisorLeaf + 0xffff) return 0;
  return cpuid(cheshire::abi::kTimingCpuidLeaf).eax;
}

// Intel SDM volume 2, CPUID 0x15: crystal in Hz (ECX) times EBX / EAX.
uint64_t crystal_tsc_khz() {
  constexpr uint32_t kCrystalLeaf = 0x15;
  if (cpuid(0).eax < kCrystalLeaf) return 0;
  const CpuidResult leaf = cpuid(kCrystalLeaf);
  if (leaf.eax == 0 || leaf.ebx == 0 || leaf.ecx == 0) return 0;
  return uint64_t{leaf.ecx} * leaf.ebx / leaf.eax / 1000;
}

// 1000 * 2^64 / khz. The quotient fits as khz is above 1000.
uint64_t scaled_us_per_tick(uint64_t tsc_khz) {
  uint64_t quotient;
  uint64_t remainder;
  asm("divq %4" : "=a"(quotient), "=d"(remainder) : "a"(0ULL), "d"(1000ULL), "r"(tsc_khz) : "cc");
  return quotient;
}

}  // namespace

std::string_view Clock::init(uint64_t tsc_khz, bool may_measure, uint64_t zero_tsc) {
  base_tsc_ = zero_tsc;
  std::string_view source = "cmdline";
  if (tsc_khz == 0) {
    tsc_khz = hypervisor_tsc_khz();
    source = "hypervisor";
  }
  if (tsc_khz == 0) {
    tsc_khz = crystal_tsc_khz();
    source = "crystal";
  }
  if (tsc_khz == 0 && may_measure) {
    tsc_khz = measure_tsc_khz();
    source = "lapic";
  }
  if (tsc_khz <= 1000) return {};
  tsc_khz_ = tsc_khz;
  us_per_tick_ = scaled_us_per_tick(tsc_khz);
  return source;
}

uint64_t Clock::to_us(uint64_t tsc) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((Wide{tsc - base_tsc_} * us_per_tick_) >> 64);
}

uint64_t Clock::now_us() const {
  return to_us(read_tsc());
}

}  // namespace cheshire::grin
