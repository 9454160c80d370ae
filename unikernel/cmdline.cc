// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/cmdline.h"

#include <limits>

namespace cheshire::grin {
namespace {

constexpr uint32_t kDelayMsMax = 1U << 30;

// The rest of the line. Each byte is looked at once, by whoever knows what it may be: where every instruction
// is emulated, this line is the longest part of the boot.
struct Cursor {
  const char* at;
  const char* end;

  [[nodiscard]] bool at_end_of_option() const { return at == end || *at == ' '; }
  void skip_option() {
    while (!at_end_of_option()) ++at;
  }
  // Steps over `text` if it is next.
  template <size_t kSize>
  [[nodiscard]] bool skip(const char (&text)[kSize]) {
    constexpr size_t kLength = kSize - 1;
    if (static_cast<size_t>(end - at) < kLength) return false;
    if (__builtin_memcmp(at, text, kLength) != 0) return false;
    at += kLength;
    return true;
  }
  // Steps over a whole name: what follows is '=' or the end of the option.
  template <size_t kSize>
  [[nodiscard]] bool skip_name(const char (&text)[kSize]) {
    const char* const before = at;
    if (skip(text) && (at_end_of_option() || *at == '=')) return true;
    at = before;
    return false;
  }
};

// By character; kNoDigit for what is none. A look-up instead of comparisons, as above.
constexpr uint8_t kNoDigit = 0xff;
consteval std::array<uint8_t, 256> make_digits() {
  std::array<uint8_t, 256> digits;
  digits.fill(kNoDigit);
  for (uint8_t i = 0; i < 10; ++i) digits[size_t{'0'} + i] = i;
  for (uint8_t i = 0; i < 6; ++i) {
    digits[size_t{'a'} + i] = static_cast<uint8_t>(10 + i);
    digits[size_t{'A'} + i] = static_cast<uint8_t>(10 + i);
  }
  return digits;
}
constexpr std::array<uint8_t, 256> kDigits = make_digits();

// Digits up to the first character that is none; at least one, and no more than surely fit 64 bits.
template <uint64_t kBase>
bool read_digits(Cursor& cursor, uint64_t& out) {
  constexpr std::ptrdiff_t kDigitsMax = kBase == 16 ? 16 : 19;
  const char* at = cursor.at;
  uint64_t value = 0;
  for (; at != cursor.end; ++at) {
    const uint64_t digit = kDigits[static_cast<unsigned char>(*at)];
    if (digit >= kBase) break;
    value = value * kBase + digit;
  }
  out = value;
  const std::ptrdiff_t digits = at - cursor.at;
  cursor.at = at;
  return digits != 0 && digits <= kDigitsMax;
}

// "=" and a number between min and max, up to the end of the option.
template <typename Number>
bool read_number(Cursor& cursor, uint64_t min, uint64_t max, Number& out) {
  uint64_t value = 0;
  if (!cursor.skip("=") || !read_digits<10>(cursor, value) || !cursor.at_end_of_option()) return false;
  if (value < min || value > max) return false;
  out = static_cast<Number>(value);
  return true;
}

bool read_ip(Cursor& cursor, uint32_t& out) {
  uint32_t ip = 0;
  for (int i = 0; i < 4; ++i) {
    uint64_t part = 0;
    const bool follows = i == 0 ? cursor.skip("=") : cursor.skip(".");
    if (!follows || !read_digits<10>(cursor, part) || part > 255) return false;
    ip = (ip << 8) | static_cast<uint32_t>(part);
  }
  if (!cursor.at_end_of_option() || ip == 0) return false;
  out = ip;
  return true;
}

bool read_idle(Cursor& cursor, IdleMethod& out) {
  if (cursor.skip("=port")) {
    out = IdleMethod::kPort;
  } else if (cursor.skip("=hlt")) {
    out = IdleMethod::kHalt;
  } else {
    return false;
  }
  return cursor.at_end_of_option();
}

// <size>@0x<base>:<irq>, with anything after a further colon left to others (Linux puts an id there).
bool read_device(Cursor& cursor, Config& config) {
  while (!cursor.at_end_of_option() && *cursor.at != '@') ++cursor.at;
  uint64_t base = 0;
  uint64_t irq = 0;
  if (!cursor.skip("@0x") || !read_digits<16>(cursor, base)) return false;
  if (base > 0xffff'f000 || (base & 3) != 0) return false;
  if (!cursor.skip(":") || !read_digits<10>(cursor, irq) || irq > 255) return false;
  if (!cursor.at_end_of_option() && *cursor.at != ':') return false;
  if (config.device_count == config.devices.size()) return false;
  config.devices[config.device_count++] = {.base = static_cast<uintptr_t>(base),
                                           .irq = static_cast<uint32_t>(irq)};
  cursor.skip_option();
  return true;
}

enum class Outcome { kOk, kUnknown, kBadValue };

// What a VMM adds by itself comes first.
Outcome read_option(Cursor& cursor, Config& config) {
  const auto outcome = [](bool ok) { return ok ? Outcome::kOk : Outcome::kBadValue; };
  constexpr uint64_t kMax32 = std::numeric_limits<uint32_t>::max();
  Cursor& c = cursor;
  if (c.skip_name("idle")) return outcome(read_idle(c, config.idle));
  if (c.skip_name("quiet")) return outcome(read_number(c, 0, 1, config.quiet));
  if (c.skip_name("ip")) return outcome(read_ip(c, config.ip));
  if (c.skip_name("port")) return outcome(read_number(c, 1, 65535, config.port));
  if (c.skip_name("service_us")) return outcome(read_number(c, 0, kMax32, config.service_us));
  if (c.skip_name("workers")) return outcome(read_number(c, 1, kWorkersMax, config.worker_count));
  if (c.skip_name("body")) return outcome(read_number(c, 1, kBodyBytesMax, config.body_size_bytes));
  if (c.skip_name("listen_delay_ms")) return outcome(read_number(c, 0, kDelayMsMax, config.listen_delay_ms));
  if (c.skip_name("panic_after_ms")) return outcome(read_number(c, 0, kDelayMsMax, config.panic_after_ms));
  if (c.skip_name("silent")) return outcome(read_number(c, 0, 1, config.silent));
  if (c.skip_name("tsc_khz")) return outcome(read_number(c, 1001, kMax32, config.tsc_khz));
  return Outcome::kUnknown;
}

CmdlineError error_in(std::string_view what, const char* option, Cursor cursor) {
  cursor.at = option;
  cursor.skip_option();
  return {what, {option, static_cast<size_t>(cursor.at - option)}};
}

}  // namespace

CmdlineError parse_cmdline(std::string_view line, Config& config) {
  Cursor cursor{line.data(), line.data() + line.size()};
  while (cursor.at != cursor.end) {
    if (*cursor.at == ' ') {
      ++cursor.at;
      continue;
    }
    const char* const option = cursor.at;
    if (cursor.skip("grin.")) {
      const Outcome outcome = read_option(cursor, config);
      if (outcome == Outcome::kUnknown) return error_in("unknown option", option, cursor);
      if (outcome == Outcome::kBadValue) return error_in("bad value", option, cursor);
    } else if (cursor.skip("virtio_mmio.device=")) {
      if (!read_device(cursor, config)) return error_in("bad device", option, cursor);
    } else {
      cursor.skip_option();
    }
  }
  return {};
}

}  // namespace cheshire::grin
