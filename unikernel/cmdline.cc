// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/cmdline.h"

#include <limits>

#include "unikernel/text.h"

namespace grin {
namespace {

constexpr std::string_view kPrefix = "grin.";
constexpr std::string_view kDevicePrefix = "virtio_mmio.device=";
constexpr std::uint32_t kMaxDelay_ms = 1U << 30;

// Cuts `text` at the first `delimiter`: returns what is before it and leaves what is after it.
std::string_view take_until(std::string_view& text, char delimiter) {
  // Plain pointers: this loop is the longest part of the boot, and one through `text` reloads it for each
  // byte.
  const char* const start = text.data();
  const char* const stop = start + text.size();
  const char* end = start;
  while (end != stop && *end != delimiter) ++end;
  const char* const rest = end != stop ? end + 1 : end;
  text = std::string_view(rest, static_cast<std::size_t>(stop - rest));
  return {start, static_cast<std::size_t>(end - start)};
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::string_view(text.data(), prefix.size()) == prefix;
}

template <typename Number>
bool read_number(std::string_view text, std::uint64_t min, std::uint64_t max, Number& out) {
  const auto value = parse_decimal(text);
  if (!value || *value < min || *value > max) return false;
  out = static_cast<Number>(*value);
  return true;
}

bool read_ip(std::string_view text, std::uint32_t& out) {
  std::uint32_t ip = 0;
  for (int i = 0; i < 4; ++i) {
    if (text.empty()) return false;
    std::uint32_t part = 0;
    if (!read_number(take_until(text, '.'), 0, 255, part)) return false;
    ip = (ip << 8) | part;
  }
  if (!text.empty() || ip == 0) return false;
  out = ip;
  return true;
}

bool read_idle(std::string_view text, IdleMethod& out) {
  if (text != "hlt" && text != "port") return false;
  out = text == "hlt" ? IdleMethod::kHalt : IdleMethod::kPort;
  return true;
}

// <size>@0x<base>:<irq>, with anything after a further colon left to others (Linux puts an id there).
bool read_device(std::string_view text, Config& config) {
  take_until(text, '@');
  if (!starts_with(text, "0x")) return false;
  text = std::string_view(text.data() + 2, text.size() - 2);
  const auto base = parse_hex(take_until(text, ':'));
  if (!base || *base > 0xffff'f000 || (*base & 3) != 0) return false;
  MmioDevice device{.base = static_cast<std::uintptr_t>(*base)};
  if (!read_number(take_until(text, ':'), 0, 255, device.irq)) return false;
  if (config.device_count == config.devices.size()) return false;
  config.devices[config.device_count++] = device;
  return true;
}

enum class Outcome { kOk, kUnknown, kBadValue };

Outcome read_option(std::string_view name, std::string_view value, Config& config) {
  const auto outcome = [](bool ok) { return ok ? Outcome::kOk : Outcome::kBadValue; };
  constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();
  if (name == "ip") return outcome(read_ip(value, config.ip));
  if (name == "port") return outcome(read_number(value, 1, 65535, config.port));
  if (name == "service_us") return outcome(read_number(value, 0, kMax32, config.service_us));
  if (name == "workers") return outcome(read_number(value, 1, kMaxWorkers, config.worker_count));
  if (name == "body") return outcome(read_number(value, 1, kMaxBodySize_bytes, config.body_size_bytes));
  if (name == "listen_delay_ms") return outcome(read_number(value, 0, kMaxDelay_ms, config.listen_delay_ms));
  if (name == "panic_after_ms") return outcome(read_number(value, 0, kMaxDelay_ms, config.panic_after_ms));
  if (name == "silent") return outcome(read_number(value, 0, 1, config.silent));
  if (name == "quiet") return outcome(read_number(value, 0, 1, config.quiet));
  if (name == "idle") return outcome(read_idle(value, config.idle));
  if (name == "tsc_khz") return outcome(read_number(value, 1001, kMax32, config.tsc_khz));
  return Outcome::kUnknown;
}

}  // namespace

CmdlineError parse_cmdline(std::string_view line, Config& config) {
  while (!line.empty()) {
    const std::string_view option = take_until(line, ' ');
    if (starts_with(option, kDevicePrefix)) {
      const std::size_t skip = kDevicePrefix.size();
      if (!read_device({option.data() + skip, option.size() - skip}, config)) return {"bad device", option};
    }
    if (!starts_with(option, kPrefix)) continue;
    std::string_view value(option.data() + kPrefix.size(), option.size() - kPrefix.size());
    const std::string_view name = take_until(value, '=');
    switch (read_option(name, value, config)) {
      case Outcome::kOk:
        break;
      case Outcome::kUnknown:
        return {"unknown option", option};
      case Outcome::kBadValue:
        return {"bad value", option};
    }
  }
  return {};
}

}  // namespace grin
