// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "hypervisor/vmm/virtio_mmio.h"

namespace cheshire {
namespace {

constexpr uint64_t kMemoryBytes = 8 << 20;
constexpr uint64_t kBackEnd = kVirtioVersion1 | kVirtioNetMtu | kVirtioEventIndex | virtio_bit(15);

class KvmVirtioMmioTest : public testing::Test {
 protected:
  KvmVirtioMmioTest() { device_.offer(kBackEnd, 1500); }
  uint32_t read(uint64_t offset) const { return static_cast<uint32_t>(device_.read(offset, 4)); }
  VirtioEvent write(uint64_t offset, uint32_t value) { return device_.write(offset, 4, value); }
  void negotiate(uint64_t features) {
    (void)write(0x70, 3);
    (void)write(0x24, 0);
    (void)write(0x20, static_cast<uint32_t>(features));
    (void)write(0x24, 1);
    (void)write(0x20, static_cast<uint32_t>(features >> 32));
    (void)write(0x70, 11);
  }
  VirtioEvent set_queue(uint32_t index, uint32_t size, uint64_t descriptors, uint64_t driver,
                        uint64_t device) {
    (void)write(0x30, index);
    (void)write(0x38, size);
    const auto address = [&](uint64_t reg, uint64_t value) {
      (void)write(reg, static_cast<uint32_t>(value));
      (void)write(reg + 4, static_cast<uint32_t>(value >> 32));
    };
    address(0x80, descriptors);
    address(0x90, driver);
    address(0xa0, device);
    return write(0x44, 1);
  }

  VirtioMmio device_{kGuestMac, kMemoryBytes};
};

TEST_F(KvmVirtioMmioTest, ComesUpAsADriverWantsIt) {
  EXPECT_EQ(read(0x00), 0x74726976U);
  EXPECT_EQ(read(0x04), 2U);
  EXPECT_EQ(read(0x08), 1U);
  EXPECT_EQ(read(0x34), 256U);
  EXPECT_EQ(read(0x10), uint32_t{1U << 3 | 1U << 5 | 1U << 16 | 1U << 29}) << "bit 15 is not ours to pass on";
  EXPECT_EQ(device_.read(0x100, 1), 0x02U);
  EXPECT_EQ(device_.read(0x10a, 2), 1500U);
  EXPECT_EQ(device_.read(0x106, 2), 1U);
  negotiate(kVirtioVersion1 | kVirtioNetMac);
  EXPECT_EQ(read(0x70), 11U);
  EXPECT_EQ(set_queue(0, 32, 0x10000, 0x11000, 0x12000), VirtioEvent::kNone);
  EXPECT_EQ(set_queue(1, 64, 0x20000, 0x21000, 0x22000), VirtioEvent::kNone);
  EXPECT_EQ(read(0x60), 0U);
  EXPECT_EQ(write(0x70, 15), VirtioEvent::kDriverOk);
  EXPECT_EQ(read(0x60), 1U);
  EXPECT_EQ(device_.features(), kVirtioVersion1 | kVirtioNetMac);
  EXPECT_EQ(device_.queues()[1].size, 64);
  EXPECT_EQ(device_.queues()[1].device.value, 0x22000U);
  EXPECT_EQ(write(0x70, 0), VirtioEvent::kReset);
  EXPECT_FALSE(device_.queues()[0].ready);
  EXPECT_EQ(write(0x70, 0), VirtioEvent::kNone);
}

TEST_F(KvmVirtioMmioTest, RefusesFeaturesThatWereNotOffered) {
  for (const uint64_t features :
       {kVirtioVersion1 | virtio_bit(15), kVirtioNetMac, uint64_t{0}, ~uint64_t{0}}) {
    (void)write(0x70, 0);
    negotiate(features);
    EXPECT_EQ(read(0x70), 3U) << features;
    EXPECT_EQ(write(0x70, 15), VirtioEvent::kNone);
    EXPECT_FALSE(device_.driver_ok());
  }
}

struct RingCase {
  const char* name;
  uint32_t size;
  uint64_t descriptors, driver, device;
  const char* words;
};

TEST(KvmVirtioMmio, FailsAGuestWhoseRingsCannotBe) {
  const RingCase cases[] = {
      {"no size", 0, 0x1000, 0x2000, 0x3000, "size"},
      {"odd size", 3, 0x1000, 0x2000, 0x3000, "size"},
      {"huge size", 0x10020, 0x1000, 0x2000, 0x3000, "size"},
      {"descriptors unaligned", 32, 0x1008, 0x2000, 0x3000, "descriptor table is not aligned"},
      {"driver unaligned", 32, 0x1000, 0x2001, 0x3000, "available ring is not aligned"},
      {"device unaligned", 32, 0x1000, 0x2000, 0x3002, "used ring is not aligned"},
      {"descriptors outside", 32, kMemoryBytes, 0x2000, 0x3000, "descriptor table lies outside"},
      {"driver over the end", 32, 0x1000, kMemoryBytes - 64, 0x3000, "available ring lies outside"},
      {"device wraps", 32, 0x1000, 0x2000, ~uint64_t{3}, "used ring lies outside"},
  };
  for (const RingCase& c : cases) {
    VirtioMmio device(kGuestMac, kMemoryBytes);
    const auto write = [&](uint64_t offset, uint64_t value) {
      (void)device.write(offset, 4, value & 0xffffffff);
      return device.write(offset + 4, 4, value >> 32);
    };
    (void)device.write(0x38, 4, c.size);
    (void)write(0x80, c.descriptors);
    (void)write(0x90, c.driver);
    (void)write(0xa0, c.device);
    EXPECT_EQ(device.write(0x44, 4, 1), VirtioEvent::kBroken) << c.name;
    EXPECT_NE(device.failure().find(c.words), std::string::npos) << c.name << ": " << device.failure();
    EXPECT_EQ(device.write(0x70, 4, 15), VirtioEvent::kNone) << c.name;
  }
}

TEST(KvmVirtioMmio, SurvivesNonsenseOnEveryRegister) {
  std::mt19937_64 random(3);
  std::optional<VirtioMmio> device;
  device.emplace(kGuestMac, kMemoryBytes);
  device->offer(~uint64_t{0}, 65535);
  for (int i = 0; i < 200'000; ++i) {
    if (!device->failure().empty()) device.emplace(kGuestMac, kMemoryBytes);
    const uint64_t offset = random() % 512;
    const uint32_t width = uint32_t{1} << random() % 4;
    (void)device->read(offset, width);
    if (device->write(offset, width, random() >> random() % 64) != VirtioEvent::kDriverOk) continue;
    for (const VirtioQueue& queue : device->queues()) {
      if (!queue.ready) continue;
      EXPECT_LE(queue.device.value + 6 + 8U * queue.size, kMemoryBytes);
    }
  }
}

}  // namespace
}  // namespace cheshire
