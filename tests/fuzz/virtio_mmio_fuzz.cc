// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any sequence of register accesses: the device stays in bounds, and rings that it would hand on lie in
// memory. Input: records of offset (2 bytes), width and direction (1), value (4).
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "check.h"
#include "hypervisor/vmm/virtio_mmio.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cheshire;
  constexpr uint64_t kMemoryBytes = 4 * 1024 * 1024;
  VirtioMmio device(kGuestMac, kMemoryBytes);
  device.offer(kVirtioBackEndFeatures, 1500);
  for (constexpr size_t kRecord = 7; size >= kRecord; data += kRecord, size -= kRecord) {
    uint16_t offset = 0;
    uint32_t value = 0;
    std::memcpy(&offset, data, sizeof offset);
    std::memcpy(&value, data + 3, sizeof value);
    offset %= 512;
    const uint32_t width = uint32_t{1} << (data[2] & 3U);
    if ((data[2] & 4U) != 0) {
      (void)device.read(offset, width);
      continue;
    }
    const VirtioEvent event = device.write(offset, width, value);
    CHECK((event == VirtioEvent::kBroken) == (event == VirtioEvent::kBroken && !device.failure().empty()));
    if (event != VirtioEvent::kDriverOk) continue;
    CHECK((device.features() & ~(kVirtioBackEndFeatures | kVirtioNetMac | kVirtioNetStatus)) == 0);
    for (const VirtioQueue& queue : device.queues()) {
      if (!queue.ready) continue;
      CHECK(queue.size != 0 && queue.size <= kNetQueueSizeMax);
      CHECK(queue.descriptors.value + 16U * queue.size <= kMemoryBytes);
      CHECK(queue.driver.value + 6 + 2U * queue.size <= kMemoryBytes);
      CHECK(queue.device.value + 6 + 8U * queue.size <= kMemoryBytes);
    }
  }
  return 0;
}
