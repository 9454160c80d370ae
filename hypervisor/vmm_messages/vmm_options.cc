// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm_messages/vmm_options.h"

#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>

namespace cheshire {
namespace {

template <typename Number>
bool read_number(std::string_view text, Number& out, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_mac(std::string_view text, MacAddress& mac) {
  constexpr size_t kTextBytes = 17;
  if (text.size() != kTextBytes) return false;
  for (size_t i = 0; i < mac.bytes.size(); ++i) {
    if (!read_number(text.substr(3 * i, 2), mac.bytes[i], 16)) return false;
    if (i + 1 < mac.bytes.size() && text[3 * i + 2] != ':') return false;
  }
  return true;
}

bool read_idle(std::string_view text, IdleMethod& idle) {
  if (text != "port" && text != "hlt") return false;
  idle = text == "port" ? IdleMethod::kPort : IdleMethod::kHalt;
  return true;
}

bool read_flag(std::string_view text, bool& flag) {
  if (text != "0" && text != "1") return false;
  flag = text == "1";
  return true;
}

bool set(VmmOptions& options, std::string_view key, std::string_view value) {
  if (key == "--name") return options.name = value, true;
  if (key == "--kernel") return options.kernel = value, true;
  if (key == "--append") return options.command_line = value, true;
  if (key == "--vhost") return options.vhost_socket = value, true;
  if (key == "--memory") return read_number(value, options.memory_bytes);
  if (key == "--huge-pages") return read_flag(value, options.huge_pages);
  if (key == "--mac") return read_mac(value, options.mac);
  if (key == "--mtu") return read_number(value, options.mtu_bytes);
  if (key == "--idle") return read_idle(value, options.idle);
  if (key == "--control-fd") return read_number(value, options.control_fd);
  if (key == "--kvm-fd") return read_number(value, options.kvm_fd);
  if (key == "--cpuid-fd") return read_number(value, options.cpuid_fd);
  return false;
}

std::string mac_text(const MacAddress& mac) {
  std::array<char, 18> text{};
  const auto& b = mac.bytes;
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
                b[5]);
  return text.data();
}

}  // namespace

std::vector<std::string> to_arguments(const VmmOptions& options) {
  std::vector<std::string> arguments = {
      "--name=" + options.name,
      "--kernel=" + options.kernel,
      "--memory=" + std::to_string(options.memory_bytes),
      "--append=" + options.command_line,
      "--mac=" + mac_text(options.mac),
      "--mtu=" + std::to_string(options.mtu_bytes),
      "--vhost=" + options.vhost_socket,
      std::string("--idle=") + (options.idle == IdleMethod::kPort ? "port" : "hlt"),
  };
  if (options.huge_pages) arguments.emplace_back("--huge-pages=1");
  const auto add_fd = [&arguments](const char* key, int fd) {
    if (fd >= 0) arguments.push_back(key + std::to_string(fd));
  };
  add_fd("--control-fd=", options.control_fd);
  add_fd("--kvm-fd=", options.kvm_fd);
  add_fd("--cpuid-fd=", options.cpuid_fd);
  return arguments;
}

Result<VmmOptions> parse_arguments(std::span<const char* const> arguments) {
  VmmOptions options;
  for (const char* const argument : arguments) {
    const std::string_view text(argument);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || !set(options, text.substr(0, equals), text.substr(equals + 1))) {
      return Error{ErrorCode::kInvalidArgument, "argument not understood: " + std::string(text)};
    }
  }
  if (options.kernel.empty()) return Error{ErrorCode::kInvalidArgument, "--kernel=ELF is missing"};
  return options;
}

}  // namespace cheshire
