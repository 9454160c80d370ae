// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A 64-bit ELF without a note that behaves as a stock Unikraft image for Firecracker does: the 64-bit boot
// protocol of Linux with its zero page, 8259 and PIT, a local APIC that lets the 8259 through without being
// told, the real-time clock, virtio-mmio with two queues, the MAC read byte by byte, an interrupt per packet
// that is held until InterruptACK. Integer instructions only. Its last line says what was wrong, or "all well".
//
// The image lies at 1 MiB and is smaller than 64 KiB: so bits 16 to 31 of every address in here are 0x0010.
#define TIMER_VECTOR 0x20
#define NET_VECTOR   0x25           // the second line of the first 8259 is 5
#define DEVICE       0xfeb00000

// Guest memory of the two rings, 16 entries each.
#define RX_DESCRIPTORS 0x200000
#define RX_AVAILABLE   0x201000
#define RX_USED        0x202000
#define TX_DESCRIPTORS 0x203000
#define TX_AVAILABLE   0x204000
#define TX_USED        0x205000
#define RX_BUFFER      0x206000
#define TX_BUFFER      0x207000
#define RING_SIZE      16
#define FRAME_BYTES    (12 + 60)
#define ROUNDS         3
#define TICKS_MAX      500          // 5 s

  .code64
  .text
  .globl start
start:
  mov $stack_top, %esp
  mov %rsi, %rbx

.macro expect label, instruction, operands:vararg
  mov $\label, %esi
  \instruction \operands
  jne fail
.endm

// --- the zero page (Documentation/arch/x86/zero-page.rst)
  expect bad_zero_page, cmpw, $0xaa55, 0x1fe(%rbx)
  expect bad_zero_page, cmpl, $0x53726448, 0x202(%rbx)
  expect bad_map, cmpb, $2, 0x1e8(%rbx)
  expect bad_map, cmpq, $0, 0x2d0(%rbx)
  expect bad_map, cmpl, $1, 0x2d0+16(%rbx)
  expect bad_map, cmpq, $0x100000, 0x2d0+20(%rbx)
  expect bad_map, cmpq, $0x700000, 0x2d0+28(%rbx)   // 8 MiB in all
  mov 0x228(%rbx), %edx
  mov 0x238(%rbx), %eax
  expect bad_command_line, cmpl, $(command_line_end - command_line - 1), %eax
  mov %edx, %esi
  mov $command_line, %edi
  mov $(command_line_end - command_line), %ecx
  cld
  repe cmpsb
  expect bad_command_line, cmpl, $0, %ecx

// --- page tables of our own, with the devices; descriptor tables
  mov $page_map, %eax
  mov %rax, %cr3
  lgdt gdt_pointer
  mov $0x10, %eax
  mov %eax, %ss
  mov %eax, %ds
  mov %eax, %es
  lidt idt_pointer
  movb $0x41, 0xb8000
  expect bad_screen, cmpb, $0x41, 0xb8000
  mov $0x40000010, %eax
  xor %ecx, %ecx
  cpuid
  mov $bad_frequency, %esi
  test %eax, %eax
  jz fail

// --- the real-time clock
1:
  mov $0x0a, %al
  out %al, $0x70
  in $0x71, %al
  test $0x80, %al
  jnz 1b
  mov $0x0b, %al
  out %al, $0x70
  in $0x71, %al
  and $6, %al                      // BCD, 24 hours
  expect bad_clock, cmpb, $2, %al
  mov $0x32, %al
  out %al, $0x70
  in $0x71, %al
  expect bad_clock, cmpb, $0x20, %al

// --- 8259 and PIT, 100 Hz
.macro out8 port, value
  mov $\value, %al
  out %al, $\port
.endm
  out8 0x20, 0x11
  out8 0x21, TIMER_VECTOR
  out8 0x21, 0x04
  out8 0x21, 0x01
  out8 0xa0, 0x11
  out8 0xa1, 0x28
  out8 0xa1, 0x02
  out8 0xa1, 0x01
  out8 0x21, 0xde                  // all masked but lines 0 and 5
  out8 0xa1, 0xff
  out8 0x43, 0x34
  out8 0x40, 0x9c
  out8 0x40, 0x2e
2:
  sti
  hlt
  cli
  cmpl $3, ticks
  jb 2b

// --- the network device (virtio 1.2 4.2.3)
  mov $DEVICE, %edi
  expect bad_device, cmpl, $0x74726976, 0x000(%rdi)
  expect bad_device, cmpl, $2, 0x004(%rdi)
  expect bad_device, cmpl, $1, 0x008(%rdi)
  movl $0, 0x070(%rdi)
  movl $1, 0x070(%rdi)
  movl $3, 0x070(%rdi)
  movl $1, 0x014(%rdi)
  mov 0x010(%rdi), %eax
  and $1, %eax                     // VERSION_1
  expect bad_features, cmpl, $1, %eax
  movl $0, 0x014(%rdi)
  mov 0x010(%rdi), %eax
  and $0x20, %eax                  // MAC
  expect bad_features, cmpl, $0x20, %eax
  movl $0, 0x024(%rdi)
  movl $0x20, 0x020(%rdi)
  movl $1, 0x024(%rdi)
  movl $1, 0x020(%rdi)
  movl $0x0b, 0x070(%rdi)
  expect bad_features, cmpl, $0x0b, 0x070(%rdi)
  xor %ecx, %ecx
3:
  mov 0x100(%rdi,%rcx), %al
  expect bad_mac, cmpb, mac(%rcx), %al
  inc %ecx
  cmp $6, %ecx
  jne 3b

.macro set_up_queue index, descriptors, available, used
  movl $\index, 0x030(%rdi)
  expect bad_queue, cmpl, $0, 0x044(%rdi)
  mov $bad_queue, %esi
  cmpl $RING_SIZE, 0x034(%rdi)
  jb fail
  movl $RING_SIZE, 0x038(%rdi)
  movl $\descriptors, 0x080(%rdi)
  movl $0, 0x084(%rdi)
  movl $\available, 0x090(%rdi)
  movl $0, 0x094(%rdi)
  movl $\used, 0x0a0(%rdi)
  movl $0, 0x0a4(%rdi)
  movl $1, 0x044(%rdi)
  expect bad_queue, cmpl, $1, 0x044(%rdi)
.endm
  set_up_queue 0, RX_DESCRIPTORS, RX_AVAILABLE, RX_USED
  set_up_queue 1, TX_DESCRIPTORS, TX_AVAILABLE, TX_USED
  movq $RX_BUFFER, RX_DESCRIPTORS
  movl $2048, RX_DESCRIPTORS+8
  movw $2, RX_DESCRIPTORS+12       // for the device to write
  movq $TX_BUFFER, TX_DESCRIPTORS
  movl $FRAME_BYTES, TX_DESCRIPTORS+8
  movw $1, TX_AVAILABLE            // no interrupt for what was sent
  movl $0x0f, 0x070(%rdi)
  expect bad_features, cmpl, $0x0f, 0x070(%rdi)

// --- each round: a frame out, the same frame and an interrupt in. Entry 0 of both rings is buffer 0, always.
  xor %r12d, %r12d
4:
  inc %r12d
  mov %r12, TX_BUFFER+12
  movl $0, net_interrupts
  movl $0, ticks
  movw %r12w, RX_AVAILABLE+2
  movw %r12w, TX_AVAILABLE+2
  movl $1, 0x050(%rdi)
5:
  sti
  hlt
  cli
  mov $no_interrupt, %esi
  cmpl $TICKS_MAX, ticks
  ja fail
  cmpw %r12w, RX_USED+2
  jne 5b
  cmpl $0, net_interrupts
  je 5b
  expect bad_packet, cmp, %r12, RX_BUFFER+12
  cmp $ROUNDS, %r12d
  jne 4b

  mov $all_well, %esi
fail:                              // RSI: what to say
  mov $0x3fd, %edx
6:
  in %dx, %al
  test $0x20, %al
  jz 6b
  lodsb
  test %al, %al
  jz 7f
  mov $0x3f8, %edx
  out %al, %dx
  jmp fail
7:
  out8 0x64, 0xfe
8:
  hlt
  jmp 8b

  .balign 16
on_timer:
  push %rax
  incl ticks
  out8 0x20, 0x20
  pop %rax
  iretq
on_net:
  push %rax
  incl net_interrupts
  movabs DEVICE+0x60, %eax         // InterruptStatus; above 2 GiB, where a 32-bit address would be negative
  movabs %eax, DEVICE+0x64         // InterruptACK
  out8 0x20, 0x20
  pop %rax
  iretq

ticks:          .long 0
net_interrupts: .long 0
mac:            .byte 0x02, 0x43, 0x48, 0x45, 0x53, 0x01
command_line:   .asciz "netdev.ip=10.0.0.2/24 virtio_mmio.device=512@0xfeb00000:5 -- app arguments"
command_line_end:
bad_zero_page:    .asciz "bad zero page\n"
bad_map:          .asciz "bad e820 map\n"
bad_command_line: .asciz "bad command line\n"
bad_screen:       .asciz "no memory at 0xb8000\n"
bad_frequency:    .asciz "no TSC frequency\n"
bad_clock:        .asciz "bad clock\n"
bad_device:       .asciz "no virtio network device\n"
bad_features:     .asciz "bad features\n"
bad_mac:          .asciz "bad MAC\n"
bad_queue:        .asciz "bad queue\n"
no_interrupt:     .asciz "no packet, or no interrupt\n"
bad_packet:       .asciz "bad packet\n"
all_well:         .asciz "all well\n"

  .balign 8
gdt:
  .quad 0
  .quad 0x00af9a000000ffff
  .quad 0x00cf92000000ffff
gdt_end:
gdt_pointer:
  .word gdt_end - gdt - 1
  .quad gdt
  .balign 16
idt:
  .fill 2 * TIMER_VECTOR, 8, 0
  .word on_timer - start, 0x08, 0x8e00, 0x0010
  .quad 0
  .fill 2 * (NET_VECTOR - TIMER_VECTOR - 1), 8, 0
  .word on_net - start, 0x08, 0x8e00, 0x0010
  .quad 0
idt_end:
idt_pointer:
  .word idt_end - idt - 1
  .quad idt

  .balign 16
  .skip 1024
stack_top:

// The first GiB, and the last before 4 GiB uncached.
  .balign 4096
page_map:
  .quad page_pointers + 3
  .fill 511, 8, 0
page_pointers:
  .quad low_pages + 3
  .quad 0, 0
  .quad high_pages + 3
  .fill 508, 8, 0
low_pages:
  .set page, 0
  .rept 512
  .quad page * 0x200000 + 0x83
  .set page, page + 1
  .endr
high_pages:
  .set page, 1536
  .rept 512
  .quad page * 0x200000 + 0x93
  .set page, page + 1
  .endr
