// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// This folder is all that the daemon's kvm driver and the processes of its VMs share: values and pure
// functions, on any thread of either.
//
// What the driver and the VMM of one VM say to each other, over a socket pair of packets (SOCK_SEQPACKET):
// one packet is one struct, whole or not at all. The VMM shares its process with a hostile guest's device,
// so the driver believes no more than the size, the kind and that text is text.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "hypervisor/vm_exit.h"

namespace cheshire {

// driver → VMM. Orders may lie in the socket before the VMM has begun to live.
enum class VmmOrderKind : uint32_t { kRun = 1, kPause, kStop, kUsage, kTrace };
struct VmmOrder {
  uint32_t magic;
  VmmOrderKind kind;
};
static_assert(sizeof(VmmOrder) == 8);
inline constexpr uint32_t kVmmOrderMagic = 0x4d4d'5643;  // "CVMM": made of one source with the driver

// Moments of a boot, monotonic ns; 0: not reached.
enum class VmmStage : uint8_t {
  kMain,
  kMemory,
  kImage,
  kVm,
  kVcpu,
  kVhost,
  kPrepared,
  kRun,
  kDriverOk,
  kRings
};
inline constexpr size_t kVmmStages = 10;
[[nodiscard]] constexpr std::string_view to_string(VmmStage stage) {
  constexpr std::array<std::string_view, kVmmStages> kNames = {
      "main", "memory", "image", "vm", "vcpu", "vhost", "prepared", "run", "driver_ok", "rings"};
  return kNames[static_cast<size_t>(stage)];
}

// VMM → driver.
enum class VmmReportKind : uint32_t { kPrepared = 1, kPaused, kExited, kUsage, kTrace };
struct VmmReport {
  VmmReportKind kind;
  uint32_t reserved;
  uint64_t cpu_ns;  // of the vCPU's thread
  std::array<uint64_t, kVmExits> exits;
  std::array<uint64_t, kVmmStages> stages_ns;
  std::array<char, 192> reason;  // kExited; ends with a zero
};
static_assert(std::is_trivially_copyable_v<VmmReport> && sizeof(VmmReport) == 328);

// The answer to kTrace: when the vCPU was in the kernel since the last kRun, the first of these times. For
// bench/boot_bench, which takes guest instructions out of a start's time.
inline constexpr size_t kVmmTraceSpans = 192;
struct VmmTrace {
  VmmReport report;
  uint64_t begin_ns;  // of all spans
  uint32_t spans;
  uint32_t reserved;
  struct Span {
    uint32_t enter_ns;
    uint32_t leave_ns;  // 0: still inside
  };
  std::array<Span, kVmmTraceSpans> span;
};
static_assert(std::is_trivially_copyable_v<VmmTrace> && sizeof(VmmTrace) == 328 + 16 + 8 * kVmmTraceSpans);

}  // namespace cheshire
