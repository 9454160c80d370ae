// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/virtio_mmio.h"

#include <bit>

namespace cheshire {
namespace {

// virtio 1.2 4.2.2, table 4.1
enum Register : uint64_t {
  kMagic = 0x000,
  kVersion = 0x004,
  kDeviceId = 0x008,
  kVendorId = 0x00c,
  kDeviceFeatures = 0x010,
  kDeviceFeaturesSelect = 0x014,
  kDriverFeatures = 0x020,
  kDriverFeaturesSelect = 0x024,
  kQueueSelect = 0x030,
  kQueueSizeMax = 0x034,
  kQueueSize = 0x038,
  kQueueReady = 0x044,
  kInterruptStatus = 0x060,
  kStatus = 0x070,
  kQueueDescriptorsLow = 0x080,
  kQueueDescriptorsHigh = 0x084,
  kQueueDriverLow = 0x090,
  kQueueDriverHigh = 0x094,
  kQueueDeviceLow = 0x0a0,
  kQueueDeviceHigh = 0x0a4,
  kConfig = 0x100,
};
constexpr uint32_t kMagicValue = 0x7472'6976;  // "virt"
constexpr uint32_t kModernVersion = 2;
constexpr uint32_t kNetworkDevice = 1;
constexpr uint32_t kVendorValue = 0x5348'4843;  // "CHHS"
constexpr uint32_t kUsedBufferInterrupt = 1;

constexpr uint32_t kStatusAcknowledge = 1;
constexpr uint32_t kStatusDriver = 2;
constexpr uint32_t kStatusFeaturesOk = 8;
constexpr uint32_t kStatusNeedsReset = 64;
constexpr uint32_t kStatusFailed = 128;
constexpr uint32_t kStatusWritable =
    kStatusAcknowledge | kStatusDriver | kStatusFeaturesOk | 4 | kStatusFailed;

// 5.1.4: mac, status, max_virtqueue_pairs, mtu
constexpr uint64_t kConfigStatus = 6;
constexpr uint64_t kConfigPairs = 8;
constexpr uint64_t kConfigMtu = 10;
constexpr uint16_t kLinkUp = 1;

uint64_t with_half(uint64_t whole, bool high, uint32_t half) {
  return high ? (whole & 0xffff'ffffU) | uint64_t{half} << 32U : (whole & ~uint64_t{0xffff'ffff}) | half;
}

uint8_t byte_of(uint16_t value, uint64_t index) {
  return static_cast<uint8_t>(value >> (8 * index));
}

}  // namespace

void VirtioMmio::offer(uint64_t back_end_features, uint16_t mtu_bytes) {
  mtu_bytes_ = mtu_bytes;
  uint64_t passed = back_end_features & kVirtioBackEndFeatures;
  if (mtu_bytes == 0) passed &= ~kVirtioNetMtu;
  offered_ = passed | kVirtioVersion1 | kVirtioNetMac | kVirtioNetStatus;
}

uint64_t VirtioMmio::read(uint64_t offset, uint32_t width_bytes) const {
  if (offset < kConfig) {
    const bool whole = width_bytes == sizeof(uint32_t) && offset % sizeof(uint32_t) == 0;  // 4.2.2.2
    return whole ? read_register(offset) : 0;
  }
  uint64_t value = 0;
  for (uint32_t i = 0; i < width_bytes && i < sizeof value; ++i) {
    value |= uint64_t{config_byte(offset - kConfig + i)} << (8 * i);
  }
  return value;
}

uint32_t VirtioMmio::read_register(uint64_t offset) const {
  const bool queue_exists = queue_select_ < kNetQueues;
  switch (offset) {
    case kMagic:
      return kMagicValue;
    case kVersion:
      return kModernVersion;
    case kDeviceId:
      return kNetworkDevice;
    case kVendorId:
      return kVendorValue;
    case kDeviceFeatures:
      if (device_features_select_ > 1) return 0;
      return static_cast<uint32_t>(offered_ >> (32 * device_features_select_));
    case kQueueSizeMax:
      return queue_exists ? kNetQueueSizeMax : 0;
    case kQueueReady:
      return queue_exists && queues_[queue_select_].ready ? 1 : 0;
    case kInterruptStatus:
      // The data plane rings the line by itself and does not say so here: a driver that asks is told to look.
      return driver_ok() ? kUsedBufferInterrupt : 0;
    case kStatus:
      return status_;
    default:
      return 0;
  }
}

uint8_t VirtioMmio::config_byte(uint64_t offset) const {
  if (offset < kConfigStatus) return mac_.bytes[offset];
  if (offset < kConfigPairs) return byte_of(kLinkUp, offset - kConfigStatus);
  if (offset < kConfigMtu) return byte_of(1, offset - kConfigPairs);
  if (offset < kConfigMtu + sizeof mtu_bytes_) return byte_of(mtu_bytes_, offset - kConfigMtu);
  return 0;
}

VirtioEvent VirtioMmio::write(uint64_t offset, uint32_t width_bytes, uint64_t value) {
  if (!failure_.empty()) return VirtioEvent::kNone;
  if (offset >= kConfig || width_bytes != sizeof(uint32_t) || offset % sizeof(uint32_t) != 0) {
    return VirtioEvent::kNone;
  }
  const auto word = static_cast<uint32_t>(value);
  switch (offset) {
    case kDeviceFeaturesSelect:
      device_features_select_ = word;
      return VirtioEvent::kNone;
    case kDriverFeaturesSelect:
      driver_features_select_ = word;
      return VirtioEvent::kNone;
    case kDriverFeatures:
      write_driver_features(word);
      return VirtioEvent::kNone;
    case kQueueSelect:
      queue_select_ = word;
      return VirtioEvent::kNone;
    case kQueueReady:
      return write_queue_ready(word);
    case kStatus:
      return write_status(word);
    default:
      write_queue(offset, word);
      return VirtioEvent::kNone;
  }
}

void VirtioMmio::write_driver_features(uint32_t value) {
  if (driver_features_select_ > 1 || (status_ & kStatusFeaturesOk) != 0) return;
  driver_features_ = with_half(driver_features_, driver_features_select_ == 1, value);
}

void VirtioMmio::write_queue(uint64_t offset, uint32_t value) {
  if (queue_select_ >= kNetQueues || queues_[queue_select_].ready) return;
  VirtioQueue& queue = queues_[queue_select_];
  const auto set_half = [&](GuestAddress& address, bool high) {
    address.value = with_half(address.value, high, value);
  };
  switch (offset) {
    case kQueueSize:
      queue.size = value <= kNetQueueSizeMax ? static_cast<uint16_t>(value) : 0;
      return;
    case kQueueDescriptorsLow:
    case kQueueDescriptorsHigh:
      return set_half(queue.descriptors, offset == kQueueDescriptorsHigh);
    case kQueueDriverLow:
    case kQueueDriverHigh:
      return set_half(queue.driver, offset == kQueueDriverHigh);
    case kQueueDeviceLow:
    case kQueueDeviceHigh:
      return set_half(queue.device, offset == kQueueDeviceHigh);
    default:
      return;
  }
}

// 2.7: sizes and alignments of the three parts of a split ring.
std::string VirtioMmio::complaint_about(const VirtioQueue& queue) const {
  struct Part {
    const char* name;
    uint64_t address;
    uint64_t size_bytes;
    uint64_t alignment_bytes;
  };
  const uint64_t size = queue.size;
  if (!std::has_single_bit(size)) return "size is no power of two up to 256";
  for (const Part& part : {Part{"descriptor table", queue.descriptors.value, 16 * size, 16},
                           Part{"available ring", queue.driver.value, 6 + 2 * size, 2},
                           Part{"used ring", queue.device.value, 6 + 8 * size, 4}}) {
    if (part.address % part.alignment_bytes != 0) return std::string(part.name) + " is not aligned";
    if (part.address > memory_bytes_ || part.size_bytes > memory_bytes_ - part.address) {
      return std::string(part.name) + " lies outside of memory";
    }
  }
  return {};
}

VirtioEvent VirtioMmio::write_queue_ready(uint32_t value) {
  if (queue_select_ >= kNetQueues) return VirtioEvent::kNone;
  VirtioQueue& queue = queues_[queue_select_];
  if (driver_ok() || value > 1) return VirtioEvent::kNone;  // a ring is taken back by a reset only
  queue.ready = value == 1;
  if (!queue.ready) return VirtioEvent::kNone;
  const std::string complaint = complaint_about(queue);
  if (complaint.empty()) return VirtioEvent::kNone;
  queue.ready = false;
  status_ |= kStatusNeedsReset;
  failure_ = "guest set up network queue " + std::to_string(queue_select_) + " wrongly: its " + complaint;
  return VirtioEvent::kBroken;
}

VirtioEvent VirtioMmio::write_status(uint32_t value) {
  if (value == 0) {
    const bool was_driver_ok = driver_ok();
    reset();
    return was_driver_ok ? VirtioEvent::kReset : VirtioEvent::kNone;
  }
  uint32_t next = status_ | (value & kStatusWritable);  // 2.1.1: bits are only ever added
  const uint32_t added = next & ~status_;
  // 3.1.1, steps 5 and 6: features that were not offered, or none of version 1, are not acknowledged.
  const bool features_good = (driver_features_ & ~offered_) == 0 && (driver_features_ & kVirtioVersion1) != 0;
  if ((added & kStatusFeaturesOk) != 0 && !features_good) next &= ~kStatusFeaturesOk;
  if ((added & kStatusDriverOk) != 0 && (next & kStatusFeaturesOk) == 0) next &= ~kStatusDriverOk;
  const bool goes = (next & ~status_ & kStatusDriverOk) != 0;
  status_ = next;
  return goes ? VirtioEvent::kDriverOk : VirtioEvent::kNone;
}

void VirtioMmio::reset() {
  driver_features_ = 0;
  device_features_select_ = driver_features_select_ = queue_select_ = 0;
  status_ = 0;
  queues_ = {};
}

}  // namespace cheshire
