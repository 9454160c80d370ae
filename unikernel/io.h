// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The instructions that C++ has no words for. x86-64 only, freestanding image only.

#pragma once

#include <cstdint>

namespace grin {

inline void out8(std::uint16_t port, std::uint8_t value) {
  asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

inline void out32(std::uint16_t port, std::uint32_t value) {
  // The VMM may change memory (virtqueues) while the vCPU sits in this instruction.
  asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

inline std::uint8_t in8(std::uint16_t port) {
  std::uint8_t value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

// A device register at a fixed, identity-mapped address. The asm keeps each access one whole 32-bit access
// (virtio 1.2 4.2.2.2) and in program order.
inline std::uint32_t mmio_read32(std::uintptr_t address) {
  std::uint32_t value;
  asm volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
  return value;
}

inline std::uint16_t mmio_read16(std::uintptr_t address) {
  std::uint16_t value;
  asm volatile("movw (%1), %0" : "=r"(value) : "r"(address) : "memory");
  return value;
}

inline std::uint8_t mmio_read8(std::uintptr_t address) {
  std::uint8_t value;
  asm volatile("movb (%1), %0" : "=q"(value) : "r"(address) : "memory");
  return value;
}

inline void mmio_write32(std::uintptr_t address, std::uint32_t value) {
  asm volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

inline std::uint64_t read_tsc() {
  std::uint32_t low;
  std::uint32_t high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return (std::uint64_t{high} << 32) | low;
}

struct CpuidResult {
  std::uint32_t eax;
  std::uint32_t ebx;
  std::uint32_t ecx;
  std::uint32_t edx;
};

inline CpuidResult cpuid(std::uint32_t leaf) {
  CpuidResult result;
  asm volatile("cpuid"
               : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
               : "a"(leaf), "c"(0));
  return result;
}

}  // namespace grin
