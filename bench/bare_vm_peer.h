// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The program bare_vm as the yardstick of boot_bench: what the kernel takes for a start in which nobody does
// more than has to be done. main thread
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "handle.h"
#include "result.h"

namespace cheshire::bench {

class BareVmPeer {
 public:
  struct Sample {
    uint64_t total_ns = 0;  // from the order until the guest is known to have run its instructions
    uint64_t host_ns = 0;   // the same without the time inside of KVM_RUN
    uint64_t cpu_ns = 0;    // cold starts: of the process from its fork to its end, and of the caller
  };

  explicit BareVmPeer(std::string program) : program_(std::move(program)) {}
  BareVmPeer(const BareVmPeer&) = delete;
  BareVmPeer& operator=(const BareVmPeer&) = delete;
  ~BareVmPeer() { static_cast<void>(end()); }

  // A process is made, executed, makes its VM, and its guest runs `steps` instructions. It is gone on return.
  [[nodiscard]] Result<Sample> cold(uint64_t steps);
  // A process that stands ready, asleep, is told to let its guest run so many.
  [[nodiscard]] Result<Sample> ready(uint64_t steps);

 private:
  [[nodiscard]] Result<void> start();
  [[nodiscard]] Result<Sample> order(uint64_t steps, uint64_t began_ns);
  [[nodiscard]] uint64_t end();  // CPU time of the process

  const std::string program_;
  pid_t pid_ = -1;
  UniqueFd socket_;
};

}  // namespace cheshire::bench
