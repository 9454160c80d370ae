// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/virtio_net.h"

#include "unikernel/io.h"
#include "unikernel/power.h"
#include "unikernel/virtqueue.h"

namespace cheshire::grin {
namespace {

// virtio 1.2, 4.2.2.
constexpr uint32_t kMagicRegister = 0x000;
constexpr uint32_t kVersionRegister = 0x004;
constexpr uint32_t kDeviceIdRegister = 0x008;
constexpr uint32_t kDeviceFeatures = 0x010;
constexpr uint32_t kDeviceFeaturesSelect = 0x014;
constexpr uint32_t kDriverFeatures = 0x020;
constexpr uint32_t kDriverFeaturesSelect = 0x024;
constexpr uint32_t kQueueSelect = 0x030;
constexpr uint32_t kQueueSizeMax = 0x034;
constexpr uint32_t kQueueSize = 0x038;
constexpr uint32_t kQueueReady = 0x044;
constexpr uint32_t kQueueNotify = 0x050;
constexpr uint32_t kInterruptAcknowledge = 0x064;
constexpr uint32_t kStatus = 0x070;
constexpr uint32_t kQueueDescriptors = 0x080;
constexpr uint32_t kQueueDriver = 0x090;
constexpr uint32_t kQueueDevice = 0x0a0;
constexpr uint32_t kConfig = 0x100;

constexpr uint32_t kMagic = 0x7472'6976;  // "virt"
constexpr uint32_t kModernVersion = 2;
constexpr uint32_t kNetworkDevice = 1;
constexpr uint32_t kStatusAcknowledge = 1;
constexpr uint32_t kStatusDriver = 2;
constexpr uint32_t kStatusDriverOk = 4;
constexpr uint32_t kStatusFeaturesOk = 8;
constexpr uint32_t kInterruptBoth = 3;  // used buffer, configuration change

constexpr uint32_t kFeatureMtu = 1U << 3;
constexpr uint32_t kFeatureMac = 1U << 5;
constexpr uint32_t kFeatureVersion1High = 1U << 0;  // bit 32
constexpr uint32_t kConfigMtu = kConfig + 10;
constexpr int kResetPollLimit = 1000;

constexpr uint32_t kReceiveQueue = 0;
constexpr uint32_t kTransmitQueue = 1;
constexpr size_t kReceiveSize = 32;
constexpr size_t kTransmitSize = 64;

constinit std::array<NetBuffer, kReceiveSize> receive_buffers = {};
constinit std::array<NetBuffer, kTransmitSize> transmit_buffers = {};
constinit Virtqueue<kReceiveSize> receive_queue = make_receive_queue(receive_buffers);
constinit Virtqueue<kTransmitSize> transmit_queue = make_transmit_queue(transmit_buffers);

// Transmit buffers that are ours, as a stack: the device may complete in any order.
consteval std::array<uint16_t, kTransmitSize> all_transmit_ids() {
  std::array<uint16_t, kTransmitSize> ids = {};
  for (uint16_t i = 0; i < kTransmitSize; ++i) ids[i] = i;
  return ids;
}
constinit std::array<uint16_t, kTransmitSize> free_ids = all_transmit_ids();

}  // namespace

uint32_t VirtioNet::read(uint32_t reg) const {
  return mmio_read32(device_.base + reg);
}
void VirtioNet::write(uint32_t reg, uint32_t value) const {
  mmio_write32(device_.base + reg, value);
}

bool VirtioNet::probe(const MmioDevice& device) {
  device_ = device;
  return read(kMagicRegister) == kMagic && read(kVersionRegister) == kModernVersion &&
         read(kDeviceIdRegister) == kNetworkDevice;
}

void VirtioNet::negotiate() {
  write(kStatus, 0);
  for (int i = 0; read(kStatus) != 0; ++i) {
    if (i == kResetPollLimit) panic("network device does not reset");
  }
  write(kStatus, kStatusAcknowledge | kStatusDriver);
  write(kDeviceFeaturesSelect, 0);
  const uint32_t offered = read(kDeviceFeatures);
  if ((offered & kFeatureMac) == 0) panic("network device has no MAC address");
  write(kDriverFeaturesSelect, 0);
  write(kDriverFeatures, offered & (kFeatureMac | kFeatureMtu));
  // Register version 2 means that VERSION_1 is offered; FEATURES_OK tells if it were not.
  write(kDriverFeaturesSelect, 1);
  write(kDriverFeatures, kFeatureVersion1High);
  write(kStatus, kStatusAcknowledge | kStatusDriver | kStatusFeaturesOk);
  if ((read(kStatus) & kStatusFeaturesOk) == 0) panic("network device refuses our features");

  // Each field is read in its own width (4.2.2.2): the address by bytes, the MTU as a word.
  for (uint32_t i = 0; i < mac_.bytes.size(); ++i) mac_.bytes[i] = mmio_read8(device_.base + kConfig + i);
  if ((offered & kFeatureMtu) == 0) return;
  const size_t mtu = mmio_read16(device_.base + kConfigMtu);
  constexpr size_t kMtuBytesMin = 68;  // RFC 791
  if (mtu >= kMtuBytesMin && mtu < mtu_bytes_) mtu_bytes_ = mtu;
}

void VirtioNet::set_up_queue(uint32_t index, size_t size, const void* descriptors, const void* avail,
                             const void* used) {
  const auto write_address = [this](uint32_t reg, const void* address) {
    write(reg, static_cast<uint32_t>(reinterpret_cast<uintptr_t>(address)));
    write(reg + 4, 0);  // the image lies below 4 GiB
  };
  write(kQueueSelect, index);
  if (read(kQueueSizeMax) < size) panic("network device queue too small");
  write(kQueueSize, static_cast<uint32_t>(size));
  write_address(kQueueDescriptors, descriptors);
  write_address(kQueueDriver, avail);
  write_address(kQueueDevice, used);
  write(kQueueReady, 1);
}

void VirtioNet::init(std::span<const MmioDevice> devices) {
  bool found = false;
  for (size_t i = 0; i < devices.size() && !found; ++i) found = probe(devices[i]);
  if (!found) panic("no network device on the command line");
  negotiate();
  set_up_queue(kReceiveQueue, kReceiveSize, &receive_queue.descriptors, &receive_queue.avail,
               &receive_queue.used);
  set_up_queue(kTransmitQueue, kTransmitSize, &transmit_queue.descriptors, &transmit_queue.avail,
               &transmit_queue.used);
  free_count_ = kTransmitSize;
  write(kStatus, kStatusAcknowledge | kStatusDriver | kStatusFeaturesOk | kStatusDriverOk);
  write(kQueueNotify, kReceiveQueue);
}

std::span<const std::byte> VirtioNet::receive() {
  while (load_acquire(receive_queue.used.index) != receive_seen_) {
    const UsedElement& element = receive_queue.used.ring[receive_seen_ % kReceiveSize];
    if (element.id < kReceiveSize && element.size_bytes > kNetHeaderBytes &&
        element.size_bytes <= kNetBufferBytes) {
      return std::span<const std::byte>(receive_buffers[element.id].bytes)
          .subspan(kNetHeaderBytes, element.size_bytes - kNetHeaderBytes);
    }
    release();
  }
  return {};
}

void VirtioNet::release() {
  const uint32_t id = receive_queue.used.ring[receive_seen_ % kReceiveSize].id;
  ++receive_seen_;
  if (id >= kReceiveSize) return;
  AvailRing<kReceiveSize>& avail = receive_queue.avail;
  avail.ring[avail.index % kReceiveSize] = static_cast<uint16_t>(id);
  // Releases the ring entry and the buffer to the device.
  store_release(avail.index, static_cast<uint16_t>(avail.index + 1));
  receive_kick_ = true;
}

void VirtioNet::reap() {
  while (load_acquire(transmit_queue.used.index) != transmit_seen_) {
    const uint32_t id = transmit_queue.used.ring[transmit_seen_ % kTransmitSize].id;
    ++transmit_seen_;
    if (id < kTransmitSize && free_count_ < kTransmitSize) {
      free_ids[free_count_++] = static_cast<uint16_t>(id);
    }
  }
}

bool VirtioNet::can_send(size_t frame_count) {
  if (free_count_ < frame_count) reap();
  return free_count_ >= frame_count;
}

std::span<std::byte> VirtioNet::next_frame() {
  if (!can_send(1)) return {};
  const uint16_t id = free_ids[free_count_ - 1U];
  return std::span<std::byte>(transmit_buffers[id].bytes).subspan(kNetHeaderBytes, kFrameBytesMax);
}

void VirtioNet::send(size_t size_bytes) {
  const uint16_t id = free_ids[--free_count_];
  // The virtio header in front of the frame stays all zero: nothing ever writes there.
  transmit_queue.descriptors[id].size_bytes = static_cast<uint32_t>(kNetHeaderBytes + size_bytes);
  AvailRing<kTransmitSize>& avail = transmit_queue.avail;
  avail.ring[avail.index % kTransmitSize] = id;
  store_release(avail.index, static_cast<uint16_t>(avail.index + 1));
  transmit_kick_ = true;
}

void VirtioNet::kick() {
  if (!receive_kick_ && !transmit_kick_) return;
  full_barrier();  // the avail index before used.flags, 2.7.13.3.1
  if (transmit_kick_ && (load_acquire(transmit_queue.used.flags) & kUsedNoNotify) == 0) {
    write(kQueueNotify, kTransmitQueue);
  }
  if (receive_kick_ && (load_acquire(receive_queue.used.flags) & kUsedNoNotify) == 0) {
    write(kQueueNotify, kReceiveQueue);
  }
  receive_kick_ = false;
  transmit_kick_ = false;
}

bool VirtioNet::arm_interrupts(bool and_transmit) {
  store_release(receive_queue.avail.flags, 0);
  if (and_transmit) store_release(transmit_queue.avail.flags, 0);
  full_barrier();  // the flags before the used index, 2.7.7.1
  return load_acquire(receive_queue.used.index) != receive_seen_ ||
         (and_transmit && load_acquire(transmit_queue.used.index) != transmit_seen_);
}

void VirtioNet::disarm_interrupts(bool acknowledge) {
  store_release(receive_queue.avail.flags, kAvailNoInterrupt);
  store_release(transmit_queue.avail.flags, kAvailNoInterrupt);
  if (acknowledge) write(kInterruptAcknowledge, kInterruptBoth);
}

}  // namespace cheshire::grin
