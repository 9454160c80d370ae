// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/config_values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "units.h"

namespace cheshire {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};
// Ascending: formatting takes the last that divides.
constexpr std::array<Unit, 6> kDurationUnits{{{"ns", 1},
                                              {"us", kNsPerUs},
                                              {"ms", kNsPerMs},
                                              {"s", kNsPerSecond},
                                              {"m", 60 * kNsPerSecond},
                                              {"h", 3600 * kNsPerSecond}}};
constexpr std::array<Unit, 4> kSizeUnits{{{"B", 1}, {"KiB", kKiB}, {"MiB", kMiB}, {"GiB", kGiB}}};

// What a kind of quantity is called in messages.
struct QuantityWords {
  std::string_view noun;     // duration
  std::string_view example;  // 50us or 3s
  std::string_view atom;     // nanoseconds
  std::span<const Unit> units;
};
constexpr QuantityWords kDurationWords{"duration", "50us, 1.5ms or 3s", "nanoseconds", kDurationUnits};
constexpr QuantityWords kSizeWords{"size", "64KiB, 8MiB or 1GiB", "bytes", kSizeUnits};

// With six decimals and the largest factor, 3.6e12, the products below stay within 64 bits.
constexpr size_t kDecimalsMax = 6;

Error invalid(std::string what) {
  return Error{ErrorCode::kInvalidArgument, std::move(what)};
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  const std::string_view digits = text.substr(0, static_cast<size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

// Empty counts as zero.
std::optional<uint64_t> to_integer(std::string_view digits) {
  uint64_t value = 0;
  for (const char c : digits) {
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) {
      return std::nullopt;
    }
  }
  return value;
}

std::string unit_names(const QuantityWords& words) {
  std::string names;
  for (const Unit& unit : words.units) names += (names.empty() ? "" : " ") + std::string(unit.name);
  return names;
}

Result<uint64_t> parse_quantity(std::string_view text, const QuantityWords& words) {
  const std::string noun(words.noun);
  const std::string remedy = "write a number and one of the units " + unit_names(words) +
                             " without a space, such as " + std::string(words.example);
  std::string_view rest = text;
  const std::string_view whole_digits = take_digits(rest);
  if (whole_digits.empty()) return invalid(in_quotes(text) + " is not a " + noun + "; " + remedy);
  std::string_view decimals;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    decimals = take_digits(rest);
    if (decimals.empty() || decimals.size() > kDecimalsMax) {
      return invalid(in_quotes(text) + " is not a " + noun + "; write one to six digits after the point");
    }
  }
  const std::optional<uint64_t> whole = to_integer(whole_digits);
  if (rest.empty() && whole == 0 && decimals.empty()) return uint64_t{0};
  if (rest.empty()) return invalid(in_quotes(text) + " has no unit; " + remedy);
  const auto unit =
      std::find_if(words.units.begin(), words.units.end(), [&](const Unit& u) { return u.name == rest; });
  if (unit == words.units.end()) {
    return invalid(in_quotes(text) + " has the unknown unit " + in_quotes(rest) + "; " + remedy);
  }
  uint64_t value = 0;
  if (!whole || __builtin_mul_overflow(*whole, unit->factor, &value)) {
    return invalid(in_quotes(text) + " is too large for any " + noun);
  }
  uint64_t scale = 1;
  for (size_t i = 0; i < decimals.size(); ++i) scale *= 10;
  const uint64_t fraction = to_integer(decimals).value_or(0) * unit->factor;
  if (fraction % scale != 0) {
    return invalid(in_quotes(text) + " is not a whole number of " + std::string(words.atom) +
                   "; write fewer decimals");
  }
  if (__builtin_add_overflow(value, fraction / scale, &value)) {
    return invalid(in_quotes(text) + " is too large for any " + noun);
  }
  return value;
}

std::string format_quantity(uint64_t value, std::span<const Unit> units) {
  if (value == 0) return "0";
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) best = &unit;
  }
  return std::to_string(value / best->factor) + std::string(best->name);
}

// Why no host can have this address, or nullptr.
const char* address_fault(uint32_t ip) {
  if (ip == 0xffffffff) return "is the broadcast address";
  if (ip == 0) return "is the zero address";
  if (ip >> 24 == 0) return "is in 0.0.0.0/8, which no host may have";
  if (ip >> 24 == 127) return "is a loopback address, which never reaches a NIC";
  if (ip >> 28 == 0xe) return "is a multicast address";
  if (ip >> 28 == 0xf) return "is in the reserved block 240.0.0.0/4";
  return nullptr;
}

}  // namespace

Result<uint64_t> parse_duration_ns(std::string_view text) {
  return parse_quantity(text, kDurationWords);
}

Result<uint64_t> parse_size_bytes(std::string_view text) {
  return parse_quantity(text, kSizeWords);
}

Result<uint64_t> parse_count(std::string_view text) {
  std::string_view rest = text;
  const std::string_view digits = take_digits(rest);
  if (digits.empty() || !rest.empty()) {
    return invalid(in_quotes(text) + " is not a number; write decimal digits only");
  }
  const std::optional<uint64_t> value = to_integer(digits);
  if (!value) return invalid(in_quotes(text) + " is too large for any number here");
  return *value;
}

Result<bool> parse_flag(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return invalid(in_quotes(text) + " is neither yes nor no; write true or false");
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  constexpr const char* kRemedy = "; write an IPv4 address and a port, such as 192.0.2.10:80";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid(in_quotes(text) + " has no port" + kRemedy);
  if (text.find(':') != colon) {
    return invalid(in_quotes(text) + " has more than one colon, and IPv6 is not supported" + kRemedy);
  }
  const std::string address(text.substr(0, colon));
  in_addr parsed{};
  if (inet_pton(AF_INET, address.c_str(), &parsed) != 1 || address.find('\0') != std::string::npos) {
    return invalid(in_quotes(address) + " is not an IPv4 address" + kRemedy);
  }
  const be32 ip = be32::from_raw(parsed.s_addr);
  if (const char* fault = address_fault(ip.value())) {
    return invalid(address + " " + fault + "; write an address of one host");
  }
  const Result<uint64_t> port = parse_count(text.substr(colon + 1));
  if (!port.ok()) return invalid(in_quotes(text.substr(colon + 1)) + " is not a port" + kRemedy);
  if (port.value() < 1 || port.value() > 65535) {
    return invalid("port " + std::to_string(port.value()) + " is out of range; write 1 to 65535");
  }
  return Endpoint{ip, be16(static_cast<uint16_t>(port.value()))};
}

std::string format_duration(uint64_t ns) {
  return format_quantity(ns, kDurationUnits);
}

std::string format_size(uint64_t bytes) {
  return format_quantity(bytes, kSizeUnits);
}

}  // namespace cheshire
