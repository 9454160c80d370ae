// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The PC's real-time clock (MC146818), read only, in BCD and 24-hour mode: guests made for PCs set their wall
// clock by it. Pure.
#pragma once

#include <cstdint>
#include <ctime>

namespace cheshire {

[[nodiscard]] inline uint8_t cmos_clock_register(uint8_t index, time_t now) {
  tm parts{};
  gmtime_r(&now, &parts);
  const auto bcd = [](int value) { return static_cast<uint8_t>((value / 10 % 10) << 4 | value % 10); };
  switch (index) {
    case 0x00:
      return bcd(parts.tm_sec);
    case 0x02:
      return bcd(parts.tm_min);
    case 0x04:
      return bcd(parts.tm_hour);
    case 0x06:
      return bcd(parts.tm_wday + 1);
    case 0x07:
      return bcd(parts.tm_mday);
    case 0x08:
      return bcd(parts.tm_mon + 1);
    case 0x09:
      return bcd(parts.tm_year % 100);
    case 0x0b:
      return 0x02;  // 24 hours, BCD
    case 0x0d:
      return 0x80;  // the battery is good
    case 0x32:
      return bcd((parts.tm_year + 1900) / 100);
    default:
      return 0;  // 0x0a: no update is in progress
  }
}

}  // namespace cheshire
