// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/console.h"

#include <cstdint>

#include "unikernel/abi.h"
#include "unikernel/io.h"

namespace grin {
namespace {

constexpr std::uint16_t kLineStatusPort = cheshire::abi::kSerialPort + 5;
constexpr std::uint8_t kTransmitterEmpty = 0x20;
// Far above the 87 us that a byte takes at 115,200 baud, as each read of the port is an exit to the VMM.
constexpr int kReadyPollLimit = 1000;

void write_byte(char byte) {
  for (int i = 0; i < kReadyPollLimit; ++i) {
    if ((in8(kLineStatusPort) & kTransmitterEmpty) != 0) break;
  }
  out8(cheshire::abi::kSerialPort, static_cast<std::uint8_t>(byte));
}

}  // namespace

void console_write(std::string_view text) {
  for (const char byte : text) {
    if (byte == '\n') write_byte('\r');
    write_byte(byte);
  }
}

}  // namespace grin
