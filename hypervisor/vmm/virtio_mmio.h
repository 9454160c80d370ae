// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The registers of a virtio network device behind MMIO, version 2 (virtio 1.2 4.2.2 and 5.1). Only registers:
// the rings belong to the data plane, which is told about them once the guest says DRIVER_OK.
//
// The guest may write anything anywhere. What has no meaning is ignored; what can only come from a broken
// driver (a ring outside of memory) fails the device for good, with words for the reason. Pure; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "hypervisor/vmm/guest_memory.h"
#include "net.h"

namespace cheshire {

inline constexpr uint32_t kNetQueues = 2;  // 5.1.2: receiveq1, transmitq1
inline constexpr uint16_t kNetQueueSizeMax = 256;
inline constexpr uint64_t kVirtioNotifyOffset = 0x50;
// Registers whose writes only store: feature and queue selectors, sizes, addresses. A VMM may hand them over
// late, as long as it does so before the next access to any other register.
struct RegisterRange {
  uint32_t offset;
  uint32_t size_bytes;
};
inline constexpr std::array kVirtioStoringRegisters = {RegisterRange{0x10, 0x30}, RegisterRange{0x80, 0x28}};

// virtio 1.2 5.1.3 and 6, by bit. What is passed on to the guest if the data plane has it; the rest it never
// sees.
inline constexpr uint64_t virtio_bit(unsigned bit) {
  return uint64_t{1} << bit;
}
inline constexpr uint64_t kVirtioNetCsum = virtio_bit(0);
inline constexpr uint64_t kVirtioNetGuestCsum = virtio_bit(1);
inline constexpr uint64_t kVirtioNetMtu = virtio_bit(3);
inline constexpr uint64_t kVirtioNetMac = virtio_bit(5);
inline constexpr uint64_t kVirtioNetStatus = virtio_bit(16);
inline constexpr uint64_t kVirtioEventIndex = virtio_bit(29);
inline constexpr uint64_t kVirtioVersion1 = virtio_bit(32);
// The rings' features: they are the data plane's to keep, so it must know them.
inline constexpr uint64_t kVirtioBackEndFeatures =
    kVirtioNetCsum | kVirtioNetGuestCsum | kVirtioNetMtu | kVirtioEventIndex | kVirtioVersion1;

struct VirtioQueue {
  uint16_t size = 0;
  GuestAddress descriptors;
  GuestAddress driver;  // the "available" ring
  GuestAddress device;  // the "used" ring
  bool ready = false;
};

enum class VirtioEvent : uint8_t {
  kNone,
  kDriverOk,  // features() and queues() are final
  kReset,     // after kDriverOk: the rings are no longer the device's
  kBroken,    // failure() says why; the guest has to be ended
};

class VirtioMmio {
 public:
  // `memory_bytes` bounds the rings.
  VirtioMmio(const MacAddress& mac, uint64_t memory_bytes) : mac_(mac), memory_bytes_(memory_bytes) {}

  // What the data plane can do, before the guest runs. An MTU of 0: none is told.
  void offer(uint64_t back_end_features, uint16_t mtu_bytes);

  // `offset` below 512; any width.
  [[nodiscard]] uint64_t read(uint64_t offset, uint32_t width_bytes) const;
  [[nodiscard]] VirtioEvent write(uint64_t offset, uint32_t width_bytes, uint64_t value);

  [[nodiscard]] uint64_t features() const { return driver_features_; }
  [[nodiscard]] const std::array<VirtioQueue, kNetQueues>& queues() const { return queues_; }
  [[nodiscard]] bool driver_ok() const { return (status_ & kStatusDriverOk) != 0; }
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  static constexpr uint32_t kStatusDriverOk = 4;

  [[nodiscard]] uint32_t read_register(uint64_t offset) const;
  [[nodiscard]] uint8_t config_byte(uint64_t offset) const;
  VirtioEvent write_status(uint32_t value);
  void write_driver_features(uint32_t value);
  void write_queue(uint64_t offset, uint32_t value);
  VirtioEvent write_queue_ready(uint32_t value);
  [[nodiscard]] std::string complaint_about(const VirtioQueue& queue) const;
  void reset();

  const MacAddress mac_;
  const uint64_t memory_bytes_;
  uint16_t mtu_bytes_ = 0;
  uint64_t offered_ = kVirtioVersion1 | kVirtioNetMac | kVirtioNetStatus;
  uint64_t driver_features_ = 0;
  uint32_t device_features_select_ = 0;
  uint32_t driver_features_select_ = 0;
  uint32_t queue_select_ = 0;
  uint32_t status_ = 0;
  std::array<VirtioQueue, kNetQueues> queues_{};
  std::string failure_;
};

}  // namespace cheshire
