// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What boot_bench and the program bare_vm say to each other, over the socket that is bare_vm's descriptor 3.
#pragma once

#include <cstdint>

namespace cheshire::bench {

inline constexpr int kBareVmSocket = 3;

struct BareVmOrder {
  uint64_t guest_steps = 0;  // instructions that the guest is to run before it says that it is done
};
struct BareVmAnswer {
  uint64_t in_kvm_run_ns = 0;  // of that order
  char failed[24] = {};        // the call that the kernel refused; empty: none
};
static_assert(sizeof(BareVmAnswer) == 32);

}  // namespace cheshire::bench
