// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the driver and the zygote say to each other, over a socket pair of packets. A request is the header,
// then the new VMM's arguments, each ended by a zero; with it come three descriptors (SCM_RIGHTS), in the
// order of ZygoteDescriptor. Each request has one answer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cheshire {

struct ZygoteRequest {
  uint32_t magic;
  uint32_t arguments_bytes;
};
static_assert(sizeof(ZygoteRequest) == 8);
struct ZygoteAnswer {
  uint32_t magic;
  int32_t pid;    // of the new VMM, whose parent is the driver; -1: there is none
  int32_t error;  // then errno
};
static_assert(sizeof(ZygoteAnswer) == 12);
inline constexpr uint32_t kZygoteMagic = 0x5a56'4843;  // made of one source with the driver
inline constexpr size_t kZygoteArgumentsMax = 16 * 1024;

enum class ZygoteDescriptor : uint8_t { kOut, kErr, kControl };
inline constexpr size_t kZygoteDescriptors = 3;

// Descriptors of the zygote; in a VMM the first is its control socket, the others stay.
inline constexpr int kVmmControlFd = 3;
inline constexpr int kVmmKvmFd = 4;
inline constexpr int kVmmCpuidFd = 5;

}  // namespace cheshire
