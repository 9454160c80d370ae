// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Powers itself off the way that guests made for Firecracker do.
#include "pvh.inc"
start:
  mov $0xfe, %al
  outb %al, $0x64
  halt
