// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The driver's end of the zygote, a VMM that forks another whenever it is asked
// (vmm_messages/zygote_message.h). The driver's thread only, which must outlive the VMMs: they die with it.
#pragma once

#include <span>
#include <string>

#include "handle.h"
#include "hypervisor/process/child_process.h"
#include "result.h"

namespace cheshire {

struct VmmProgram;

class ZygoteLink {
 public:
  static Result<ZygoteLink> start(const VmmProgram& program);

  // A VMM with these arguments and this control socket. An error leaves the zygote of no use: drop it.
  [[nodiscard]] Result<ChildProcess> spawn(std::span<const std::string> arguments, int control);

 private:
  ZygoteLink(UniqueFd socket, ChildProcess process)
      : socket_(std::move(socket)), process_(std::move(process)) {}
  [[nodiscard]] Result<void> send_request(std::span<const std::string> arguments, const ChildPipes& pipes,
                                          int control);
  [[nodiscard]] Result<int32_t> receive_pid();

  UniqueFd socket_;
  ChildProcess process_;
};

}  // namespace cheshire
