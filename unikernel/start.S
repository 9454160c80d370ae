// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Entry, descriptor tables, page tables and interrupt stubs. All tables are data that the assembler fills in:
// on a KVM which emulates each instruction at about 1 us, a loop over 34 gates or 2,048 page table entries
// would cost more than the rest of the boot.
//
// This file is the first of the image (grin.ld), which starts at 1 MiB. So bits 16 to 31 of an address in
// here are 0x0010, and the low 16 bits are its distance from image_start: both are constants to the assembler.

#define CODE64_SELECTOR 0x08
#define DATA_SELECTOR   0x10
#define IMAGE_HIGH_BITS 0x0010

#define LAPIC_EOI       0xfee000b0
#define WAKE_VECTOR     32
#define SPURIOUS_VECTOR 33

  .section .start, "ax"
  .globl image_start
image_start:

// PVH: EBX = start info, flat 32-bit segments, paging off.
  .code32
  .globl pvh_entry
pvh_entry:
  cld
  lgdt gdt_pointer
  mov $page_map_level_4, %eax
  mov %eax, %cr3
  mov $0x20, %eax                  // CR4.PAE
  mov %eax, %cr4
  mov $0xc0000080, %ecx            // EFER
  mov $0x100, %eax                 // EFER.LME
  xor %edx, %edx
  wrmsr
  mov $0x80010001, %eax            // CR0.PG, WP, PE
  mov %eax, %cr0
  xor %esi, %esi                   // PVH does not tell how long the command line is
  ljmp $CODE64_SELECTOR, $long_mode

// Long mode, from a VMM that reads our note: RBX = start info, RSI = length of the command line.
  .code64
  .globl long_mode_entry
long_mode_entry:
  mov $page_map_level_4, %eax
  mov %rax, %cr3
  lgdt gdt_pointer
long_mode:
  mov $DATA_SELECTOR, %eax
  mov %eax, %ss
  mov %eax, %ds
  mov %eax, %es
  lidt idt_pointer
  mov $boot_stack_top, %esp
  xor %ebp, %ebp
  mov %ebx, %edi
  call grin_main
0:
  hlt
  jmp 0b

// Interrupts are on only while idle() sits in `sti; hlt` (idle.cc), so the handler has nothing to protect and
// nothing to tell: the main loop looks at the device and the clock after each wake-up.
  .balign 16
wake_stub:
  push %rax
  mov $LAPIC_EOI, %eax
  movl $0, (%rax)
  pop %rax
spurious_stub:
  iretq

// Exceptions: all of them are our own bugs. Each stub leaves its vector on the stack; those without an error
// code of the CPU's (Intel SDM volume 3, table 6-1) leave a zero as well.
  .balign 16
exception_stubs:
  .set vector, 0
  .rept 32
  .balign 16
  .if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21))
  push $0
  .endif
  push $vector
  jmp exception_common
  .set vector, vector + 1
  .endr

exception_common:
  pop %rdi                         // vector
  pop %rsi                         // error code
  mov (%rsp), %rdx                 // RIP
  mov %cr2, %rcx
  and $-16, %rsp
  call grin_exception
  hlt

  .balign 8
gdt:
  .quad 0
  .quad 0x00af9a000000ffff         // 0x08: 64-bit code
  .quad 0x00cf92000000ffff         // 0x10: data
gdt_end:

  .balign 16
idt:
  .set vector, 0
  .rept 32
  .word exception_stubs - image_start + vector * 16, CODE64_SELECTOR, 0x8e00, IMAGE_HIGH_BITS
  .quad 0
  .set vector, vector + 1
  .endr
  .word wake_stub - image_start, CODE64_SELECTOR, 0x8e00, IMAGE_HIGH_BITS
  .quad 0
  .word spurious_stub - image_start, CODE64_SELECTOR, 0x8e00, IMAGE_HIGH_BITS
  .quad 0
idt_end:

gdt_pointer:
  .word gdt_end - gdt - 1
  .quad gdt
idt_pointer:
  .word idt_end - idt - 1
  .quad idt

// Identity map of the low 4 GiB in pages of 2 MiB. The last GiB holds the APICs and the virtio-mmio windows
// and is mapped uncached.
  .section .page_tables, "aw"
  .balign 4096
page_map_level_4:
  .quad page_directory_pointers + 0x3
  .fill 511, 8, 0
page_directory_pointers:
  .quad page_directories + 0x0003
  .quad page_directories + 0x1003
  .quad page_directories + 0x2003
  .quad page_directories + 0x3003
  .fill 508, 8, 0
page_directories:
  .set page, 0
  .rept 1536
  .quad page * 0x200000 + 0x83     // present, writable, large
  .set page, page + 1
  .endr
  .rept 512
  .quad page * 0x200000 + 0x93     // the same, cache disabled
  .set page, page + 1
  .endr

  .section .bss
  .balign 16
boot_stack:
  .skip 16384
boot_stack_top:

  .section .note.pvh, "a", @note
  .balign 4
  .long 4, 4, 18                   // XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .long pvh_entry

  .section .note.cheshire, "a", @note
  .balign 4
  .long 9, 8, 1                    // abi.h: kLongModeNoteType
  .asciz "Cheshire"
  .balign 4
  .quad long_mode_entry

  .section .note.GNU-stack, "", @progbits
