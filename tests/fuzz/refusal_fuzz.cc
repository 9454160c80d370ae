// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any client against the stateless 503: whatever is sent, an answer fits its buffer, is a frame that the
// parser accepts, is a 503 if it has a body at all, and goes only to a client that has shown a cookie.
//
// Input: how (body's length, what to do with the numbers), then a frame; its sums are mended, and by the
// first byte its acknowledgment is made that of a client at some point of the conversation.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "check.h"
#include "dataplane/flow/source_guard.h"
#include "dataplane/packet/http_refusal.h"
#include "dataplane/packet/parse.h"
#include "units.h"

namespace cheshire {
namespace {

constexpr uint64_t kNow = 100 * kNsPerSecond;
constexpr size_t kBuffer = 2048;

void check_answer(uint8_t* frame, const ParsedPacket& packet, const RefusalPage& page,
                  const RefusalReply& reply) {
  const uint16_t length = write_refusal(frame, packet, page, reply);
  CHECK(length <= refusal_frame_max(page));
  const ParsedPacket again = parse_frame({frame, length});
  CHECK(again.kind == PacketKind::kTcp && again.frame_length == length);
  CHECK((again.tcp_flags & kTcpAck) != 0 && (again.tcp_flags & (kTcpSyn | kTcpRst)) == 0);
  const size_t payload = size_t{again.l4_length} - again.tcp_header_length;
  CHECK((payload != 0) == (reply.step == RefusalStep::kAnswer));
  if (payload == 0) return;
  CHECK(std::memcmp(frame + again.l4_offset + again.tcp_header_length, "HTTP/1.1 503 ", 13) == 0);
  CHECK((again.tcp_flags & kTcpFin) != 0);
}

}  // namespace
}  // namespace cheshire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cheshire;
  if (size < 3 || size > 1600) return 0;
  static_cast<void>(mss_of_options({data, size}));
  SynCookies cookies({1, 2}, 32 * kNsPerSecond);
  const RefusalPage page = make_refusal_page(data[0], data[1], std::string(size_t{data[1]} * 3, 'x'));
  uint8_t frame[kBuffer] = {};
  std::memcpy(frame, data + 2, size - 2);
  const ParsedPacket packet = parse_frame({frame, size - 2}, {.ipv4 = true, .l4 = true});
  if (packet.kind != PacketKind::kTcp) return 0;
  auto& ip = header_at<Ipv4Header>(frame, packet.l3_offset);
  ip.destination = be32(0xc000020a);  // a VIP, or nobody would ask us
  auto& tcp = header_at<TcpHeader>(frame, packet.l4_offset);
  const FlowKey flow{ip.source, tcp.source_port, {0}};
  const uint32_t cookie = cookies.make(CookieKind::kHandshake, flow, data[0] & 3U, kNow);
  const uint32_t places[] = {tcp.acknowledgment.value(), cookie + 1,
                             static_cast<uint32_t>(cookie + 2 + page.full.size()),
                             static_cast<uint32_t>(cookie + 2 + page.bare.size())};
  const uint32_t acknowledgment = places[data[0] / 4U % 4U];
  tcp.acknowledgment = be32(acknowledgment);
  const std::span<const uint8_t> payload(frame + packet.l4_offset + packet.tcp_header_length,
                                         static_cast<size_t>(packet.l4_length - packet.tcp_header_length));
  const RefusalReply reply = refuse_segment(
      cookies, page, flow, {packet.tcp_flags, tcp.sequence.value(), acknowledgment, payload}, kNow);
  // Only who shows a cookie of his own is answered. The two that were made above are all there are.
  if (acknowledgment != places[1] && acknowledgment != places[2] && acknowledgment != places[3] &&
      acknowledgment != cookie + 2 + page.head_length) {
    CHECK(reply.step == RefusalStep::kForeign || reply.cookie != cookie);
  }
  if (reply.step == RefusalStep::kAnswer || reply.step == RefusalStep::kAcknowledge) {
    check_answer(frame, packet, page, reply);
  }
  return 0;
}
