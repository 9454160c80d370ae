// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// <linux/kvm.h> as C++ may use it. With this libc's headers __DECLARE_FLEX_ARRAY puts an empty struct, one
// byte in C++, before each flexible array: sizes and with them the ioctl numbers come out wrong (EINVAL).
//
// This folder holds what the driver and the VMM both need of the bare KVM API: no policy, no state, no log.
// Any thread of either process.
#pragma once

#include <linux/stddef.h>

#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(type, name) type name[0]

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <linux/kvm.h>
#pragma GCC diagnostic pop
#include <sys/ioctl.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "result.h"

namespace cheshire {

static_assert(sizeof(kvm_cpuid2) == 8);
static_assert(sizeof(kvm_irq_routing) == 8);
static_assert(sizeof(kvm_coalesced_mmio_ring) == 8 && sizeof(kvm_coalesced_mmio) == 24);
static_assert(sizeof(kvm_cpuid_entry2) == 40);
static_assert(sizeof(kvm_irq_routing_entry) == 48);

// An ioctl that KVM refused, as an Error: "KVM_CREATE_VM: Permission denied".
inline Error kvm_error(const char* call) {
  return {ErrorCode::kUnavailable, std::string(call) + ": " + std::strerror(errno)};
}

// All requests go through here: ioctl() is variadic, and this is where the conversions are made.
template <typename Argument>
int kvm_call(int fd, unsigned long request, Argument argument) {
  return ::ioctl(fd, request, argument);
}

}  // namespace cheshire
