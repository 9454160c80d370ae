// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any bytes as a frame: what the parser accepts lies within the frame, later stages write within the frame,
// and what they make of it is a frame again that the parser accepts.
//
// First byte of the input: what the NIC claims to have verified, whether the service is mapped, whether the
// sums are to be mended first (no fuzzer finds them, and most of the parser lies behind them).
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "check.h"
#include "dataplane/packet/answer.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/plain_segment.h"
#include "dataplane/packet/rewrite.h"
#include "tests/support/exact_buffer.h"
#include "tests/support/frame_builder.h"

namespace cheshire {
namespace {

using test::ExactBuffer;
using test::kNicMac;

constexpr ChecksumsKnownGood kBothKnown{.ipv4 = true, .l4 = true};

void check_offsets(std::span<const uint8_t> frame, const ParsedPacket& packet) {
  CHECK(packet.frame_length <= frame.size());
  CHECK(packet.l3_offset == (packet.vlan_tci == kNoVlan ? 14 : 18));
  CHECK((packet.vlan_tci == kNoVlan) == (frame[12] != 0x81 || frame[13] != 0x00));
  if (packet.kind == PacketKind::kArp) {
    CHECK(packet.frame_length == packet.l3_offset + sizeof(ArpHeader));
    return;
  }
  CHECK(packet.l4_offset == packet.l3_offset + sizeof(Ipv4Header));
  CHECK(packet.frame_length == packet.l4_offset + packet.l4_length);
  if (packet.kind == PacketKind::kIcmpEcho) CHECK(packet.l4_length >= sizeof(IcmpHeader));
  if (packet.kind == PacketKind::kTcp) {
    CHECK(packet.tcp_header_length >= sizeof(TcpHeader) && packet.tcp_header_length <= packet.l4_length);
    CHECK(packet.tcp_header_length % 4 == 0);
    CHECK(packet.tcp_flags == frame[packet.l4_offset + 13U]);
    CHECK(tcp_sequence_length(packet) <= size_t{packet.l4_length} + 2);
  }
}

// Sums that the parser has verified stay right, those that it took on trust may be anything.
void check_arp(std::span<const uint8_t> frame, const ParsedPacket& packet) {
  ExactBuffer reply(frame);
  make_arp_reply(reply.data(), packet, kNicMac);
  CHECK(parse_frame(reply.span()).kind == PacketKind::kDrop);  // a reply is no request
  const auto& arp = header_at<ArpHeader>(reply.data(), packet.l3_offset);
  CHECK(arp.sender_ip == header_at<ArpHeader>(frame.data(), packet.l3_offset).target_ip);
}

void check_echo(std::span<const uint8_t> frame, const ParsedPacket& packet) {
  ExactBuffer reply(frame);
  make_echo_reply(reply.data(), packet, kNicMac);
  const ParsedPacket again = parse_frame(reply.span());
  CHECK(again.kind == PacketKind::kDrop);
  // It is an echo reply with right sums, unless its source (our VIP, later) is one that no host has.
  CHECK(again.reason == DropReason::k_icmp_unhandled || again.reason == DropReason::k_bad_source);
}

// The reset to a segment from an address that is not the segment's own destination is a whole segment itself.
void check_reset(std::span<const uint8_t> frame, const ParsedPacket& packet) {
  ExactBuffer reply(frame);
  const uint16_t length = make_reset_reply(reply.data(), packet);
  CHECK(length <= frame.size() && length == packet.l4_offset + sizeof(TcpHeader));
  const ParsedPacket again = parse_frame(reply.span().first(length));
  if (again.kind == PacketKind::kDrop) {
    CHECK(again.reason == DropReason::k_bad_source);
    return;
  }
  CHECK(again.kind == PacketKind::kTcp && again.frame_length == length && again.vlan_tci == packet.vlan_tci);
  CHECK((again.tcp_flags & kTcpRst) != 0 && tcp_sequence_length(again) == 0);
  CHECK(((again.tcp_flags & kTcpAck) != 0) == ((packet.tcp_flags & kTcpAck) == 0));
  CHECK(std::memcmp(reply.data() + length, frame.data() + length, frame.size() - length) == 0);
}

void check_rewrite(std::span<const uint8_t> frame, const ParsedPacket& packet, ChecksumsKnownGood known,
                   bool mapped) {
  const auto& ip = header_at<Ipv4Header>(frame.data(), packet.l3_offset);
  const auto& tcp = header_at<TcpHeader>(frame.data(), packet.l4_offset);
  SteeringService service{.vip = ip.destination,
                          .port = tcp.destination_port,
                          .guest_ip = ip.destination,
                          .guest_port = tcp.destination_port};
  if (mapped) {
    service.guest_ip = be32(0x0a000002);
    service.guest_port = be16(8080);
  }
  ExactBuffer there(frame);
  ServiceRewrite(service).to_guest(there.data(), packet);
  const ParsedPacket again = parse_frame(there.span(), known);
  CHECK(again.kind == PacketKind::kTcp && again.frame_length == packet.frame_length);
  const auto& guest_ip = header_at<Ipv4Header>(there.span().data(), packet.l3_offset);
  CHECK(guest_ip.destination == service.guest_ip && guest_ip.source == ip.source);
  if (!mapped) CHECK(std::memcmp(there.data() + 12, frame.data() + 12, frame.size() - 12) == 0);

  ExactBuffer out(frame);
  service.guest_ip = ip.source;  // as if the frame came from the guest
  service.guest_port = tcp.source_port;
  service.vip = mapped ? be32(0xc000020a) : ip.source;
  service.port = mapped ? be16(80) : tcp.source_port;
  ServiceRewrite(service).from_guest(out.data(), packet, kNicMac, kBroadcastMac);
  CHECK(parse_frame(out.span(), known).kind == PacketKind::kTcp);
  CHECK(header_at<Ipv4Header>(out.span().data(), packet.l3_offset).source == service.vip);
}

// Where the lengths allow it, and else not: that is the parser's to refuse.
void mend_sums(ExactBuffer& frame) {
  const std::span<uint8_t> bytes(frame.data(), frame.span().size());
  const size_t l3_offset = bytes.size() > 13 && bytes[12] == 0x81 ? 18 : 14;
  if (bytes.size() < l3_offset + sizeof(Ipv4Header)) return;
  test::write16(bytes, l3_offset + 10, 0);
  test::write16(bytes, l3_offset + 10, test::plain_checksum(bytes.subspan(l3_offset, sizeof(Ipv4Header))));
  const size_t total_length = test::read16(bytes, l3_offset + 2);
  if (total_length < sizeof(Ipv4Header) || total_length > bytes.size() - l3_offset) return;
  const auto l4 = bytes.subspan(l3_offset + sizeof(Ipv4Header), total_length - sizeof(Ipv4Header));
  const bool is_tcp = bytes[l3_offset + 9] == kIpProtocolTcp;
  const size_t at = is_tcp ? 16 : 2;
  if (l4.size() < at + 2) return;
  test::write16(l4, at, 0);
  const be32 source(test::read32(bytes, l3_offset + 12));
  const be32 destination(test::read32(bytes, l3_offset + 16));
  test::write16(l4, at,
                test::plain_checksum(is_tcp ? test::with_pseudo_header(source, destination, l4)
                                            : test::Bytes(l4.begin(), l4.end())));
}

void check_frame(std::span<const uint8_t> bytes, ChecksumsKnownGood known, bool mapped, bool mended) {
  ExactBuffer frame(bytes);
  if (mended) mend_sums(frame);
  const ParsedPacket packet = parse_frame(frame.span(), known);
  ParsedPacket plain;
  if (parse_plain_segment(PlainHeaders::of_anybody(), frame.span(), known, plain)) {
    CHECK(packet.kind == PacketKind::kTcp && packet.frame_length == plain.frame_length &&
          packet.l4_offset == plain.l4_offset && packet.l4_length == plain.l4_length &&
          packet.tcp_flags == plain.tcp_flags && packet.tcp_header_length == plain.tcp_header_length);
  }
  if (packet.kind == PacketKind::kDrop) {
    CHECK(static_cast<size_t>(packet.reason) < kDropReasons);
    return;
  }
  check_offsets(frame.span(), packet);
  // What passes with verification passes without it.
  CHECK(parse_frame(frame.span(), kBothKnown).kind == packet.kind);
  // Padding decides nothing.
  CHECK(parse_frame(frame.span().first(packet.frame_length), known).kind == packet.kind);
  switch (packet.kind) {
    case PacketKind::kDrop:
      return;
    case PacketKind::kArp:
      return check_arp(frame.span(), packet);
    case PacketKind::kIcmpEcho:
      return check_echo(frame.span(), packet);
    case PacketKind::kTcp: {
      if ((packet.tcp_flags & kTcpRst) == 0) check_reset(frame.span(), packet);
      check_rewrite(frame.span(), packet, known, mapped);
      return;
    }
  }
}

}  // namespace
}  // namespace cheshire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 65536) return 0;
  const uint8_t options = data[0];
  cheshire::check_frame({data + 1, size - 1}, {.ipv4 = (options & 1U) != 0, .l4 = (options & 2U) != 0},
                        (options & 4U) != 0, (options & 8U) != 0);
  return 0;
}
