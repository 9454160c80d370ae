// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/rewrite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/exact_buffer.h"
#include "tests/support/frame_builder.h"
#include "tests/support/printing.h"

namespace cheshire {
namespace {

using namespace test;

SteeringService mapped_service() {
  return {.vip = kVip, .port = be16(kVipPort), .guest_ip = kGuestIp, .guest_port = be16(kGuestPort)};
}
SteeringService unmapped_service() {
  return {.vip = kVip, .port = be16(kVipPort), .guest_ip = kVip, .guest_port = be16(kVipPort)};
}

Bytes to_guest(const SteeringService& service, const Bytes& frame) {
  ExactBuffer buffer(frame);
  const ParsedPacket packet = parse_frame(buffer.span(), {.ipv4 = true, .l4 = true});
  EXPECT_EQ(packet.kind, PacketKind::kTcp);
  ServiceRewrite(service).to_guest(buffer.data(), packet);
  return buffer.bytes();
}
Bytes from_guest(const SteeringService& service, const Bytes& frame) {
  ExactBuffer buffer(frame);
  const ParsedPacket packet = parse_frame(buffer.span(), {.ipv4 = true, .l4 = true});
  EXPECT_EQ(packet.kind, PacketKind::kTcp);
  ServiceRewrite(service).from_guest(buffer.data(), packet, kNicMac, kClientMac);
  return buffer.bytes();
}

// The frame as if it went the other way: no sum changes, as each sums the same words.
Bytes turned(Bytes frame) {
  std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
  std::swap_ranges(frame.begin() + 26, frame.begin() + 30, frame.begin() + 30);
  std::swap_ranges(frame.begin() + 34, frame.begin() + 36, frame.begin() + 36);
  return frame;
}

constexpr EthernetFields kFromGateway{.destination = kGuestMac, .source = kGatewayMac};
constexpr EthernetFields kFromGuest{.destination = kGatewayMac, .source = kGuestMac};

TEST(Rewrite, ToAMappedGuestIsTheFrameThatWasMeantForIt) {
  const Bytes frame =
      build(TcpFrame{.tcp = {.flags = kTcpSyn, .options = Bytes(20, 1)}, .payload = text("GET")});
  const Bytes expected =
      build(TcpFrame{.ethernet = kFromGateway,
                     .ip = {.destination = kGuestIp},
                     .tcp = {.destination_port = kGuestPort, .flags = kTcpSyn, .options = Bytes(20, 1)},
                     .payload = text("GET")});
  EXPECT_EQ(to_guest(mapped_service(), frame), expected);
}

TEST(Rewrite, FromAMappedGuestIsTheFrameThatTheServiceWouldSend) {
  const Bytes frame = build(TcpFrame{.ethernet = kFromGuest,
                                     .ip = {.source = kGuestIp, .destination = kClientIp},
                                     .tcp = {.source_port = kGuestPort, .destination_port = kClientPort},
                                     .payload = text("200 OK")});
  const Bytes expected = build(TcpFrame{.ethernet = {.destination = kClientMac, .source = kNicMac},
                                        .ip = {.source = kVip, .destination = kClientIp},
                                        .tcp = {.source_port = kVipPort, .destination_port = kClientPort},
                                        .payload = text("200 OK")});
  EXPECT_EQ(from_guest(mapped_service(), frame), expected);
}

TEST(Rewrite, ForAnUnmappedServiceTouchesOnlyTheEthernetAddresses) {
  const Bytes frame = build(TcpFrame{.payload = text("hello"), .padding = 1});
  const Bytes there = to_guest(unmapped_service(), frame);
  EXPECT_EQ(there, build(TcpFrame{.ethernet = kFromGateway, .payload = text("hello"), .padding = 1}));
  const Bytes back = from_guest(unmapped_service(), frame);
  EXPECT_TRUE(std::equal(frame.begin() + 12, frame.end(), back.begin() + 12, back.end()));
}

TEST(Rewrite, WhereOnlyThePortIsMappedKeepsTheAddressAndTheIpv4Sum) {
  SteeringService service = unmapped_service();
  service.guest_port = be16(kGuestPort);
  EXPECT_EQ(to_guest(service, build(TcpFrame{})),
            build(TcpFrame{.ethernet = kFromGateway, .tcp = {.destination_port = kGuestPort}}));
}

// Any address that a host can have.
be32 any_host(std::mt19937& random) {
  return be32(static_cast<uint32_t>(0x01000000 + random() % 0x7e000000));
}

TEST(Rewrite, ThereAndBackGivesTheOriginalForAnyServiceAndPacket) {
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    const SteeringService service{.vip = any_host(random),
                                  .port = be16(static_cast<uint16_t>(random())),
                                  .guest_ip = any_host(random),
                                  .guest_port = be16(static_cast<uint16_t>(random()))};
    TcpFrame fields{.ip = {.identification = static_cast<uint16_t>(random()), .destination = service.vip},
                    .tcp = {.source_port = static_cast<uint16_t>(random()),
                            .destination_port = service.port.value(),
                            .sequence = static_cast<uint32_t>(random())}};
    fields.payload.resize(random() % 64);
    for (uint8_t& byte : fields.payload) byte = static_cast<uint8_t>(random());
    const Bytes original = build(fields);

    const Bytes there = to_guest(service, original);
    ASSERT_TRUE(ipv4_checksum_is_right(there) && tcp_checksum_is_right(there)) << round;
    ASSERT_EQ(read32(there, 30), service.guest_ip.value());
    ASSERT_EQ(read16(there, 36), service.guest_port.value());
    ASSERT_EQ(turned(from_guest(service, turned(there))), original) << round;
  }
}

TEST(Rewrite, ADamagedPacketStaysDetectablyDamaged) {
  std::mt19937 random(2);
  for (int round = 0; round < 5000; ++round) {
    Bytes frame = build(TcpFrame{.payload = text("payload under test")});
    // Any bit but those of the fields that the guest cannot check: they are ours.
    const bool ipv4 = round % 2 == 0;
    const size_t at = ipv4 ? 14 + 4 + random() % 2 : 38 + random() % (frame.size() - 38);
    frame[at] = static_cast<uint8_t>(frame[at] ^ (1U << random() % 8));
    if (!ipv4 && (at == 46 || at == 47)) continue;  // offset and flags decide whether it is a segment at all
    const Bytes there = to_guest(mapped_service(), frame);
    ASSERT_EQ(ipv4_checksum_is_right(there), !ipv4) << "byte " << at;
    ASSERT_EQ(tcp_checksum_is_right(there), ipv4) << "byte " << at;
  }
}

TEST(Rewrite, LeavesPaddingAndEverythingBehindThePacketAlone) {
  Bytes frame = build(TcpFrame{});
  frame.insert(frame.end(), {0xde, 0xad, 0xbe, 0xef, 0x55, 0xaa});
  const Bytes there = to_guest(mapped_service(), frame);
  EXPECT_TRUE(std::equal(frame.begin() + 54, frame.end(), there.begin() + 54, there.end()));
}

}  // namespace
}  // namespace cheshire
