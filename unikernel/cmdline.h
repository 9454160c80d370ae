// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The kernel command line. Options that start with "grin." are ours and are strict; of the others only
// virtio_mmio.device is read, because QEMU and Linux put their own on the same line.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cheshire::grin {

inline constexpr size_t kDevicesMax = 32;
inline constexpr size_t kWorkersMax = 1024;
inline constexpr uint32_t kBodyBytesMax = 64U << 20;

enum class IdleMethod : uint8_t {
  kHalt,  // `sti; hlt`, woken by IOAPIC and LAPIC timer
  kPort,  // abi.h: kIdlePort
};

struct MmioDevice {
  uintptr_t base = 0;
  uint32_t irq = 0;
};

struct Config {
  uint32_t ip = 0x0a00'0002;  // 10.0.0.2
  uint16_t port = 8080;
  bool silent = false;  // answer nothing at all
  bool quiet = false;   // no boot line
  IdleMethod idle = IdleMethod::kHalt;
  uint32_t worker_count = 8;
  uint32_t service_us = 0;
  uint32_t body_size_bytes = 0;  // 0: a short greeting with the instance token
  uint32_t listen_delay_ms = 0;
  uint32_t panic_after_ms = 0;  // 0: never
  uint64_t tsc_khz = 0;         // 0: ask CPUID or measure
  std::array<MmioDevice, kDevicesMax> devices = {};
  size_t device_count = 0;
};

// Empty views: all is well. Otherwise what is wrong, and the option as it was given.
struct CmdlineError {
  std::string_view what;
  std::string_view option;
};

// Reads `line` into `config`; stops at the first error. Options come in any order, the last one of a kind
// wins.
[[nodiscard]] CmdlineError parse_cmdline(std::string_view line, Config& config);

}  // namespace cheshire::grin
