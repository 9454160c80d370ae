// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "guest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "unikernel/checksum.h"

namespace cheshire::grin::test {
namespace {

constexpr size_t kArenaBytes = 16U << 20;
constexpr size_t kIpOffset = sizeof(EthernetHeader);
constexpr size_t kTcpOffset = kIpOffset + sizeof(Ipv4Header);

}  // namespace

std::span<std::byte> FakePort::next_frame() {
  if (sent.size() >= room) return {};
  return buffer_;
}

void FakePort::send(size_t size_bytes) {
  ASSERT_LE(size_bytes, kFrameBytesMax);
  sent.emplace_back(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size_bytes));
  std::fill(buffer_.begin(), buffer_.end(), std::byte{0xaa});
}

Guest::Guest(const GuestOptions& options)
    : memory_(static_cast<std::byte*>(::operator new[](kArenaBytes, std::align_val_t{64}))) {
  std::memset(memory_.get(), 0, kArenaBytes);
  Arena arena({memory_.get(), kArenaBytes});
  const bool ok = tcp.init({.frames = &port,
                            .application = &http,
                            .counters = &counters,
                            .mac = kGuestMac,
                            .ip = kGuestIp,
                            .port = kGuestPort,
                            .max_segment_bytes = 1460,
                            .listen_from_us = options.listen_from_us,
                            .secret = 0x1234'5678'9abc'def0},
                           arena, options.capacity) &&
                  http.init({.tcp = &tcp,
                             .counters = &counters,
                             .token = 0xfeed'f00d,
                             .body_size_bytes = options.body_size_bytes,
                             .service_us = options.service_us,
                             .worker_count = options.worker_count},
                            arena, options.capacity);
  EXPECT_TRUE(ok);
  ip.init({.frames = &port, .tcp = &tcp, .counters = &counters, .mac = kGuestMac, .ip = kGuestIp});
  turn();
}

void Guest::turn() {
  tcp.begin_turn(now_us);
  http.begin_turn(now_us);
  tcp.run_timers();
  http.run_work();
  tcp.run_pending();
}

void Guest::receive(std::span<const std::byte> frame) {
  turn();
  const auto copy = std::make_unique<std::byte[]>(frame.size());
  std::copy(frame.begin(), frame.end(), copy.get());
  ip.input({copy.get(), frame.size()});
}

void Guest::advance_to(uint64_t to_us) {
  now_us = to_us;
  turn();
}

uint64_t Guest::next_deadline_us() const {
  return std::min(tcp.next_deadline_us(), http.next_deadline_us());
}

void fix_checksums(Frame& frame) {
  if (frame.size() < kTcpOffset + sizeof(TcpHeader)) return;
  const std::span<std::byte> bytes(frame);
  auto& ip = header_at<Ipv4Header>(bytes, kIpOffset);
  ip.checksum = be16(0);
  const size_t ip_header_bytes = std::min<size_t>((ip.version_ihl & 0xfU) * 4U, frame.size() - kIpOffset);
  store_checksum(ip.checksum, finish_checksum(partial_checksum(bytes.subspan(kIpOffset, ip_header_bytes))));
  const size_t tcp_at = kIpOffset + ip_header_bytes;
  const size_t end = std::min<size_t>(kIpOffset + ip.total_length.value(), frame.size());
  if (end < tcp_at + sizeof(TcpHeader)) return;
  auto& tcp = header_at<TcpHeader>(bytes, tcp_at);
  tcp.checksum = be16(0);
  const auto segment = bytes.subspan(tcp_at, end - tcp_at);
  const uint64_t pseudo =
      pseudo_header_sum(ip.source.value(), ip.destination.value(), kIpProtocolTcp, segment.size());
  store_checksum(tcp.checksum, finish_checksum(partial_checksum(segment, pseudo)));
}

Frame to_guest(const TestSegment& segment) {
  const size_t option_bytes = segment.max_segment != 0 ? 4 : 0;
  Frame frame(kTcpFrameHeaderBytes + option_bytes + segment.payload.size());
  const std::span<std::byte> bytes(frame);
  auto& ethernet = header_at<EthernetHeader>(bytes, 0);
  ethernet.destination = kGuestMac;
  ethernet.source = kClientMac;
  ethernet.ether_type = be16(kEtherTypeIpv4);
  auto& ip = header_at<Ipv4Header>(bytes, kIpOffset);
  ip.version_ihl = 0x45;
  ip.total_length = be16(static_cast<uint16_t>(frame.size() - kIpOffset));
  ip.ttl = 64;
  ip.protocol = kIpProtocolTcp;
  ip.source = be32(kClientIp);
  ip.destination = be32(kGuestIp);
  auto& tcp = header_at<TcpHeader>(bytes, kTcpOffset);
  tcp.source_port = be16(segment.port);
  tcp.destination_port = be16(segment.guest_port);
  tcp.sequence = be32(segment.sequence);
  tcp.acknowledgment = be32(segment.acknowledgment);
  tcp.data_offset = static_cast<uint8_t>((sizeof(TcpHeader) + option_bytes) / 4 << 4);
  tcp.flags = segment.flags;
  tcp.window = be16(segment.window);
  if (option_bytes != 0) {
    frame[kTcpFrameHeaderBytes] = std::byte{2};
    frame[kTcpFrameHeaderBytes + 1] = std::byte{4};
    header_at<be16>(bytes, kTcpFrameHeaderBytes + 2) = be16(segment.max_segment);
  }
  if (!segment.payload.empty()) {
    std::memcpy(frame.data() + kTcpFrameHeaderBytes + option_bytes, segment.payload.data(),
                segment.payload.size());
  }
  fix_checksums(frame);
  return frame;
}

TestSegment from_guest(const Frame& frame) {
  TestSegment segment;
  EXPECT_GE(frame.size(), kTcpFrameHeaderBytes);
  if (frame.size() < kTcpFrameHeaderBytes) return segment;
  const std::span<const std::byte> bytes(frame);
  EXPECT_EQ(header_at<EthernetHeader>(bytes, 0).destination, kClientMac);
  EXPECT_EQ(header_at<EthernetHeader>(bytes, 0).source, kGuestMac);
  const auto& ip = header_at<Ipv4Header>(bytes, kIpOffset);
  EXPECT_EQ(ip.total_length.value(), frame.size() - kIpOffset);
  EXPECT_EQ(finish_checksum(partial_checksum(bytes.subspan(kIpOffset, sizeof(Ipv4Header)))), 0);
  Segment parsed;
  const bool good =
      parse_segment(bytes.subspan(kTcpOffset), ip.source.value(), ip.destination.value(), parsed);
  EXPECT_TRUE(good);
  if (!good) return segment;
  segment.port = parsed.destination_port;
  segment.guest_port = parsed.source_port;
  segment.sequence = parsed.sequence;
  segment.acknowledgment = parsed.acknowledgment;
  segment.flags = parsed.flags;
  segment.window = parsed.window;
  segment.max_segment = parsed.max_segment;
  segment.payload.assign(reinterpret_cast<const char*>(parsed.payload.data()), parsed.payload.size());
  return segment;
}

}  // namespace cheshire::grin::test
