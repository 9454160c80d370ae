// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The arguments of cheshire-vmm: written by the driver, read by the VMM, both here. --key=value, any order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "net.h"
#include "result.h"

namespace cheshire {

// How a guest that knows the idle port is to wait (unikernel/abi.h).
enum class IdleMethod : uint8_t { kPort, kHalt };

struct VmmOptions {
  std::string name = "guest";
  std::string kernel;
  uint64_t memory_bytes = 32 * 1024 * 1024;
  bool huge_pages = false;
  std::string command_line;
  MacAddress mac = kGuestMac;
  uint16_t mtu_bytes = 1500;
  std::string vhost_socket;  // empty: the network device is connected to nothing
  IdleMethod idle = IdleMethod::kHalt;
  int control_fd = -1;  // -1: run at once, and tell the reason of the end on standard error
  int kvm_fd = -1;      // an open /dev/kvm; -1: open it
  // A file of kvm_cpuid_entry2 as KVM_GET_SUPPORTED_CPUID gave them; -1: ask, which takes 350 us on the
  // development machine.
  int cpuid_fd = -1;
};

// The arguments, without the program's own name, that parse_arguments() turns back into these options.
[[nodiscard]] std::vector<std::string> to_arguments(const VmmOptions& options);
[[nodiscard]] Result<VmmOptions> parse_arguments(std::span<const char* const> arguments);

}  // namespace cheshire
