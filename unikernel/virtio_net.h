// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The virtio network device behind virtio-mmio, version 2 (virtio 1.2 4.2 and 5.1).
//
// Features: VERSION_1 and MAC, MTU where offered. No offloads, no mergeable buffers, no event index: one
// header and one frame per descriptor. There is one device and one instance of this class, whose rings are
// static.
//
// Receive: receive() lends a frame, release() gives its buffer back. Transmit: completions are reaped when a
// buffer is wanted. kick() tells the device about both, once per turn of the main loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "unikernel/cmdline.h"
#include "unikernel/frame_port.h"
#include "unikernel/wire.h"

namespace cheshire::grin {

class VirtioNet final : public FramePort {
 public:
  // Brings up the first of `devices` that is a network device. Panics if none is, or it wants what we lack.
  void init(std::span<const MmioDevice> devices);

  [[nodiscard]] const MacAddress& mac() const { return mac_; }
  [[nodiscard]] size_t mtu_bytes() const { return mtu_bytes_; }
  [[nodiscard]] uint32_t irq() const { return device_.irq; }

  // The oldest received frame, or an empty span. Valid until release().
  [[nodiscard]] std::span<const std::byte> receive();
  void release();

  [[nodiscard]] std::span<std::byte> next_frame() override;
  void send(size_t size_bytes) override;
  [[nodiscard]] bool can_send(size_t frame_count);

  void kick();

  // Asks for an interrupt on the next received frame, and if `and_transmit`, on the next sent one. Returns
  // true if there is something already: then do not sleep.
  [[nodiscard]] bool arm_interrupts(bool and_transmit);
  // After sleeping: takes the line down, and asks for no more interrupts.
  void disarm_interrupts(bool acknowledge);

 private:
  [[nodiscard]] uint32_t read(uint32_t reg) const;
  void write(uint32_t reg, uint32_t value) const;
  [[nodiscard]] bool probe(const MmioDevice& device);
  void negotiate();
  void set_up_queue(uint32_t index, size_t size, const void* descriptors, const void* avail,
                    const void* used);
  void reap();

  MmioDevice device_ = {};
  MacAddress mac_ = {};
  size_t mtu_bytes_ = 1500;
  uint16_t receive_seen_ = 0;   // used entries taken
  uint16_t transmit_seen_ = 0;  // used entries reaped
  uint16_t free_count_ = 0;     // transmit buffers that are ours
  bool receive_kick_ = false;
  bool transmit_kick_ = false;
};

}  // namespace cheshire::grin
