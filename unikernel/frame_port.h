// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The seam between the protocols and whatever carries Ethernet frames: virtio_net in the image, a vector in
// the tests. One frame is written at a time: next_frame(), fill it, send().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cheshire::grin {

inline constexpr size_t kFrameBytesMax = 1514;

class FramePort {
 public:
  // Memory for one frame of up to kFrameBytesMax; empty while the ring is full. Asking twice without
  // send() gives the same memory.
  [[nodiscard]] virtual std::span<std::byte> next_frame() = 0;

  // Sends the first size_bytes of what next_frame() gave.
  virtual void send(size_t size_bytes) = 0;

 protected:
  ~FramePort() = default;
};

}  // namespace cheshire::grin
