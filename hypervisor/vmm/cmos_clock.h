// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The PC's real-time clock (MC146818), read only, in BCD and 24-hour mode: guests made for PCs set their wall
// clock by it. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace cheshire {

[[nodiscard]] inline uint8_t cmos_clock_register(uint8_t index, time_t now) {
  // gmtime_r() would look for a time zone first: a file that the VMM may not open (sandbox.h).
  const std::chrono::sys_seconds time{std::chrono::seconds{now}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  const auto bcd = [](auto value) { return static_cast<uint8_t>((value / 10 % 10) << 4 | value % 10); };
  switch (index) {
    case 0x00:
      return bcd(clock.seconds().count());
    case 0x02:
      return bcd(clock.minutes().count());
    case 0x04:
      return bcd(clock.hours().count());
    case 0x06:
      return bcd(std::chrono::weekday{day}.c_encoding() + 1);
    case 0x07:
      return bcd(unsigned{date.day()});
    case 0x08:
      return bcd(unsigned{date.month()});
    case 0x09:
      return bcd(int{date.year()} % 100);
    case 0x0b:
      return 0x02;  // 24 hours, BCD
    case 0x0d:
      return 0x80;  // the battery is good
    case 0x32:
      return bcd(int{date.year()} / 100);
    default:
      return 0;  // 0x0a: no update is in progress
  }
}

}  // namespace cheshire
