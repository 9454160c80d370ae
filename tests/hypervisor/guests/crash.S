// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// An undefined instruction without a table of handlers: a triple fault.
#include "pvh.inc"
start:
  print farewell
  lidt nothing
  ud2
farewell: .asciz "panic: out of cheese\n"
nothing: .fill 6
