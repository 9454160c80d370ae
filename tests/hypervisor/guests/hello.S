// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Says that it is up, and sleeps for ever.
#include "pvh.inc"
start:
  print hello
  halt
hello: .asciz "guest up\n"
