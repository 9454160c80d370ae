// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/checksum.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/frame_builder.h"

namespace cheshire {
namespace {

using namespace test;

// What a sender writes into the checksum field, by the code under test.
uint16_t checksum(std::span<const uint8_t> bytes) {
  return be16::from_raw(static_cast<uint16_t>(~checksum_fold(checksum_sum(bytes)))).value();
}

TEST(Checksum, FoldsCarriesUntilNoneIsLeft) {
  EXPECT_EQ(checksum_fold(0), 0);
  EXPECT_EQ(checksum_fold(0xffff), 0xffff);
  EXPECT_EQ(checksum_fold(0x10000), 1);
  EXPECT_EQ(checksum_fold(0x1ffff), 1);
  EXPECT_EQ(checksum_fold(0xffffffff), 0xffff);
  EXPECT_EQ(checksum_fold(0x100000000), 1);
  EXPECT_EQ(checksum_fold(0xffffffffffffffff), 0xffff);
  EXPECT_EQ(checksum_fold(0xfffffffeffffffff), 0xfffe);
}

TEST(Checksum, IsThatOfTheExampleInRfc1071) {
  const Bytes example = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(checksum(example), 0xffff - 0xddf2);
}

TEST(Checksum, IsRightForEveryLengthAndAlignment) {
  std::mt19937 random(1);
  Bytes memory(300);
  for (uint8_t& byte : memory) byte = static_cast<uint8_t>(random());
  for (size_t offset = 0; offset < 8; ++offset) {
    for (size_t length = 0; length <= 280; ++length) {
      const auto bytes = std::span<const uint8_t>(memory).subspan(offset, length);
      ASSERT_EQ(checksum(bytes), plain_checksum(bytes)) << length << " bytes at " << offset;
    }
  }
}

TEST(Checksum, IsRightWhereEveryAdditionCarries) {
  for (size_t length = 0; length <= 2000; ++length) {
    const Bytes ones(length, 0xff);
    ASSERT_EQ(checksum(ones), plain_checksum(ones)) << length;
  }
  const Bytes jumbo(65535, 0xff);
  EXPECT_EQ(checksum(jumbo), plain_checksum(jumbo));
}

TEST(Checksum, OfAPseudoHeaderIsThatOfItsBytes) {
  std::mt19937 random(2);
  for (int round = 0; round < 1000; ++round) {
    const be32 source(static_cast<uint32_t>(random()));
    const be32 destination(static_cast<uint32_t>(random()));
    Bytes segment(random() % 1461);
    for (uint8_t& byte : segment) byte = static_cast<uint8_t>(random());
    const uint64_t sum = tcp_pseudo_header_sum(source, destination, static_cast<uint16_t>(segment.size())) +
                         checksum_sum(segment);
    ASSERT_EQ(be16::from_raw(static_cast<uint16_t>(~checksum_fold(sum))).value(),
              plain_checksum(with_pseudo_header(source, destination, segment)));
  }
}

// RFC 1624 section 4: the case that equation 2 of RFC 1141 gets wrong.
TEST(ChecksumDelta, SolvesTheExampleInRfc1624) {
  const auto delta = ChecksumDelta{}.replace(be16(0x5555), be16(0x3285));
  EXPECT_EQ(delta.apply(be16(0xdd2f)).value(), 0x0000);
}

TEST(ChecksumDelta, OfNoChangeKeepsEveryChecksum) {
  const auto delta = ChecksumDelta{}.replace(kVip, kVip).replace(be16(80), be16(80));
  for (unsigned value = 0; value < 0xffff; ++value) {
    const be16 sum(static_cast<uint16_t>(value));
    ASSERT_EQ(delta.apply(sum).value(), value);
  }
  // Both zeros of one's complement mean the same to a receiver.
  EXPECT_EQ(delta.apply(be16(0xffff)).value(), 0);
}

TEST(ChecksumDelta, EqualsTheSumInFull) {
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    Bytes header(40);
    for (uint8_t& byte : header) byte = static_cast<uint8_t>(random());
    write16(header, 0, 0);
    write16(header, 0, plain_checksum(header));
    const be16 before(read16(header, 0));

    // Extremes are as likely as anything between, and from may equal to.
    const auto number = [&random]() -> uint32_t {
      constexpr std::array<uint32_t, 5> kExtremes = {0, 1, 0xffff, 0xffff0000, 0xffffffff};
      const auto value = static_cast<uint32_t>(random());
      return value % 2 == 0 ? kExtremes[value / 2 % kExtremes.size()] : value;
    };
    const uint32_t old_address = read32(header, 12);
    const uint16_t old_port = read16(header, 20);
    const uint32_t new_address = number();
    const auto new_port = static_cast<uint16_t>(number());
    write16(header, 12, new_address >> 16U);
    write16(header, 14, new_address & 0xffffU);
    write16(header, 20, new_port);
    const auto delta =
        ChecksumDelta{}.replace(be32(old_address), be32(new_address)).replace(be16(old_port), be16(new_port));
    write16(header, 0, 0);
    ASSERT_EQ(delta.apply(before).value(), plain_checksum(header)) << "round " << round;
  }
}

TEST(ChecksumDelta, OfThereAndBackIsNothing) {
  std::mt19937 random(4);
  for (int round = 0; round < 20000; ++round) {
    const be32 a(static_cast<uint32_t>(random()));
    const be32 b(static_cast<uint32_t>(random()));
    const be16 sum(static_cast<uint16_t>(random() % 0xffff));
    const be16 there = ChecksumDelta{}.replace(a, b).apply(sum);
    ASSERT_EQ(ChecksumDelta{}.replace(b, a).apply(there).value(), sum.value());
  }
}

TEST(ChecksumDelta, CarriesAnErrorOver) {
  const auto delta = ChecksumDelta{}.replace(kVip, kGuestIp).replace(be16(80), be16(8080));
  for (unsigned error = 1; error < 0xffff; ++error) {
    // Distance in one's complement arithmetic between a right and a damaged sum stays the same.
    const unsigned right = delta.apply(be16(0x1234)).value();
    const unsigned damaged = delta.apply(be16(static_cast<uint16_t>((0x1234U + error) % 0xffff))).value();
    ASSERT_EQ((damaged + 0xffffU - right) % 0xffff, error);
  }
}

}  // namespace
}  // namespace cheshire
