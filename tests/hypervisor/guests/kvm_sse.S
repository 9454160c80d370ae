// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// An instruction that a KVM which only emulates cannot run. Where it can, the guest powers itself off.
#include "pvh.inc"
start:
  mov %cr4, %eax
  or $0x600, %eax                  // OSFXSR, OSXMMEXCPT
  mov %eax, %cr4
  addps %xmm1, %xmm0
  mov $0xfe, %al
  outb %al, $0x64
  halt
