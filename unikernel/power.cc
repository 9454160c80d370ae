// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/power.h"

#include <cstdint>

#include "unikernel/abi.h"
#include "unikernel/console.h"
#include "unikernel/io.h"
#include "unikernel/text.h"

namespace cheshire::grin {

void power_off() {
  out8(cheshire::abi::kResetPort, cheshire::abi::kResetCommand);
  // Nobody at the port (QEMU's microvm has no i8042): an exception without an IDT is a triple fault.
  struct [[gnu::packed]] {
    uint16_t limit = 0;
    uint64_t base = 0;
  } const no_idt;
  asm volatile("lidt %0; ud2" : : "m"(no_idt));
  __builtin_unreachable();
}

void panic(std::string_view what) {
  panic(what, {});
}

void panic(std::string_view what, std::string_view detail) {
  console_write("grin: panic: ");
  console_write(what);
  if (!detail.empty()) {
    console_write(": ");
    console_write(detail);
  }
  console_write("\n");
  power_off();
}

}  // namespace cheshire::grin

// From start.S, for any CPU exception.
extern "C" [[noreturn]] void grin_exception(uint64_t vector, uint64_t error, uint64_t rip,
                                            uint64_t fault_address) {
  cheshire::grin::TextBuffer<128> text;
  text.append("vector ").append_decimal(vector).append(" error 0x").append_hex(error);
  text.append(" rip 0x").append_hex(rip).append(" cr2 0x").append_hex(fault_address);
  cheshire::grin::panic("exception", text.view());
}
