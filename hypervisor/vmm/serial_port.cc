// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/serial_port.h"

#include <poll.h>
#include <unistd.h>

namespace cheshire {
namespace {

enum Register : unsigned {
  kData,
  kInterruptEnable,
  kInterruptIdentity,
  kLineControl,
  kModemControl,
  kLineStatus,
  kModemStatus
};
constexpr uint8_t kDivisorAccess = 0x80;     // of kLineControl: registers 0 and 1 are the divisor
constexpr uint8_t kTransmitterEmpty = 0x60;  // and its holding register
constexpr uint8_t kNoInterruptPending = 0x01;
constexpr uint8_t kModemReady = 0xb0;  // carrier, data set ready, clear to send

}  // namespace

void SerialPort::write(unsigned reg, uint8_t value) {
  reg &= 7U;
  const bool divisor = (registers_[kLineControl] & kDivisorAccess) != 0;
  if (reg != kData || divisor) {
    if (reg != kData) registers_[reg] = value;
    return;
  }
  if (line_bytes_ == line_.size()) flush();
  line_[line_bytes_++] = static_cast<char>(value);
  if (value == '\n') flush();
}

uint8_t SerialPort::read(unsigned reg) const {
  reg &= 7U;
  switch (reg) {
    case kData:
      return 0;
    case kInterruptIdentity:
      return kNoInterruptPending;
    case kLineStatus:
      return kTransmitterEmpty;
    case kModemStatus:
      return kModemReady;
    default:
      return registers_[reg];
  }
}

void SerialPort::flush() {
  if (line_bytes_ == 0) return;
  // Asked first, as the pipe is shared with whoever gave it to us: setting it non-blocking would not be ours
  // alone.
  pollfd out{.fd = fd_, .events = POLLOUT, .revents = 0};
  const bool room = fd_ >= 0 && ::poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
  const bool written = room && ::write(fd_, line_.data(), line_bytes_) == static_cast<ssize_t>(line_bytes_);
  if (!written) ++lines_dropped_;
  line_bytes_ = 0;
}

}  // namespace cheshire
