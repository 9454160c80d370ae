// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the test guests share: the PVH note (32-bit protected mode, paging off) and a way to print.
  .code32
  .section .note.Xen, "a", @note
  .balign 4
  .long 4, 4, 18  // sizes of name and descriptor; XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .long start

  .text
  .globl start

// Prints the string at `label` on the first serial port.
.macro print label
  mov $\label, %esi
  mov $0x3f8, %edx
1: lodsb
  test %al, %al
  jz 2f
  outb %al, %dx
  jmp 1b
2:
.endm

.macro halt
1: cli
  hlt
  jmp 1b
.endm
