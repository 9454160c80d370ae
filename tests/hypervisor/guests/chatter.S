// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Floods its console, without ever ending a line, with bytes that a terminal would obey.
#include "pvh.inc"
start:
  mov $0x3f8, %edx
again:
  mov $0x1b, %al
  outb %al, %dx
  jmp again
