// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Writes nonsense to every register of the network device, the IOAPIC and many ports, then sets up a ring outside of
// memory.
#include "pvh.inc"
start:
  mov $0xfeb00000, %edi
1: movl $0xdeadbeef, (%edi)
  movb $0x55, 1(%edi)
  mov (%edi), %eax
  add $4, %edi
  cmp $0xfeb00200, %edi
  jne 1b
  mov $0xfec00000, %edi
  movl $0xffffffff, (%edi)
  movl $0xffffffff, 0x10(%edi)
  mov $0x80, %edx
2: mov $0xffffffff, %eax
  outl %eax, %dx
  inl %dx, %eax
  add $8, %edx
  cmp $0x400, %edx
  jne 2b
  mov $0xfeb00000, %edi
  movl $0, 0x70(%edi)
  movl $0, 0x30(%edi)
  movl $32, 0x38(%edi)
  movl $0xfffff000, 0x80(%edi)
  movl $1, 0x44(%edi)
  halt
