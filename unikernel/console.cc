// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/console.h"

#include <cstddef>
#include <cstdint>

#include "unikernel/abi.h"
#include "unikernel/io.h"

namespace cheshire::grin {
namespace {

constexpr uint16_t kFifoControlPort = cheshire::abi::kSerialPort + 2;
constexpr uint16_t kLineStatusPort = cheshire::abi::kSerialPort + 5;
constexpr uint8_t kFifoEnable = 0x01;
constexpr uint8_t kTransmitterEmpty = 0x20;
// Each access is an exit to the VMM, so one look at the status serves a whole FIFO of a 16550.
constexpr size_t kFifoBytes = 16;
// Far above the 1.4 ms that 16 bytes take at 115,200 baud, as each of these reads is an exit, too.
constexpr int kReadyPollLimit = 10'000;

void wait_until_empty() {
  for (int i = 0; i < kReadyPollLimit; ++i) {
    if ((in8(kLineStatusPort) & kTransmitterEmpty) != 0) return;
  }
}

}  // namespace

void console_write(std::string_view text) {
  out8(kFifoControlPort, kFifoEnable);
  size_t room = 0;
  const auto write_byte = [&room](char byte) {
    if (room == 0) {
      wait_until_empty();
      room = kFifoBytes;
    }
    out8(cheshire::abi::kSerialPort, static_cast<uint8_t>(byte));
    --room;
  };
  for (const char byte : text) {
    if (byte == '\n') write_byte('\r');
    write_byte(byte);
  }
}

}  // namespace cheshire::grin
