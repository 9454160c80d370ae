// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A split virtqueue (virtio 1.2 2.7) whose descriptors and buffers belong together for good: descriptor i
// always points at buffer i. Because of that the tables can be constants of the image, filled in by the
// linker; posting all receive buffers costs no instruction at boot.
//
// The device is trusted as far as a guest must trust its VMM, but an id out of range is still ignored.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cheshire::grin {

inline constexpr uint16_t kDescriptorWrite = 2;   // VIRTQ_DESC_F_WRITE
inline constexpr uint16_t kAvailNoInterrupt = 1;  // VIRTQ_AVAIL_F_NO_INTERRUPT
inline constexpr uint16_t kUsedNoNotify = 1;      // VIRTQ_USED_F_NO_NOTIFY

inline constexpr size_t kNetHeaderBytes = 12;    // virtio_net_hdr with num_buffers, 5.1.6
inline constexpr size_t kNetBufferBytes = 1536;  // header, 1514 bytes of frame, and a spare

struct alignas(64) NetBuffer {
  std::array<std::byte, kNetBufferBytes> bytes;
};

struct Descriptor {
  NetBuffer* address;  // identity mapped
  uint32_t size_bytes;
  uint16_t flags;
  uint16_t next;
};
static_assert(sizeof(Descriptor) == 16);

struct UsedElement {
  uint32_t id;
  uint32_t size_bytes;
};
static_assert(sizeof(UsedElement) == 8);

template <size_t kSize>
struct AvailRing {
  uint16_t flags;
  uint16_t index;
  std::array<uint16_t, kSize> ring;
};

template <size_t kSize>
struct UsedRing {
  uint16_t flags;
  uint16_t index;
  std::array<UsedElement, kSize> ring;
};

// Layout and alignment of 2.7: 16, 2 and 4 bytes; a cache line each here.
template <size_t kSize>
struct Virtqueue {
  static_assert((kSize & (kSize - 1)) == 0, "2.7: a power of two");
  static constexpr size_t size = kSize;

  alignas(64) std::array<Descriptor, kSize> descriptors;
  alignas(64) AvailRing<kSize> avail;  // writer: grin
  alignas(64) UsedRing<kSize> used;    // writer: the device
};

// Every descriptor is available to the device, for it to write to.
template <size_t kSize>
[[nodiscard]] consteval Virtqueue<kSize> make_receive_queue(std::array<NetBuffer, kSize>& buffers) {
  Virtqueue<kSize> queue = {};
  for (uint16_t i = 0; i < kSize; ++i) {
    queue.descriptors[i] = {&buffers[i], kNetBufferBytes, kDescriptorWrite, 0};
    queue.avail.ring[i] = i;
  }
  queue.avail.index = kSize;
  queue.avail.flags = kAvailNoInterrupt;
  return queue;
}

// No descriptor is available; sizes are set per frame.
template <size_t kSize>
[[nodiscard]] consteval Virtqueue<kSize> make_transmit_queue(std::array<NetBuffer, kSize>& buffers) {
  Virtqueue<kSize> queue = {};
  for (uint16_t i = 0; i < kSize; ++i) queue.descriptors[i] = {&buffers[i], 0, 0, 0};
  queue.avail.flags = kAvailNoInterrupt;
  return queue;
}

// Fields that the other side writes or reads while we run. x86 keeps stores in order with stores and loads
// with loads (Intel SDM volume 3, 9.2.2), so acquire and release are plain moves.
[[nodiscard]] inline uint16_t load_acquire(const uint16_t& field) {
  return __atomic_load_n(&field, __ATOMIC_ACQUIRE);
}
inline void store_release(uint16_t& field, uint16_t value) {
  __atomic_store_n(&field, value, __ATOMIC_RELEASE);
}
// Between our store and a load of what the device wrote: the one order that x86 does not keep by itself.
inline void full_barrier() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

}  // namespace cheshire::grin
