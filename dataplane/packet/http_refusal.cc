// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/http_refusal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "check.h"
#include "dataplane/packet/stateless_reply.h"

namespace cheshire {
namespace {

constexpr std::string_view kRetryKey = "Retry-After: ";

std::string head(size_t body_length, size_t* retry_at) {
  std::string text = "HTTP/1.1 503 Service Unavailable\r\n";
  text += kRetryKey;
  *retry_at = text.size();
  text.append(kRetryDigits, ' ');
  text += "\r\nConnection: close\r\nCache-Control: no-store\r\n";
  if (body_length != 0) text += "Content-Type: text/plain; charset=utf-8\r\n";
  text += "Content-Length: " + std::to_string(body_length) + "\r\n\r\n";
  return text;
}

bool begins_with(std::span<const uint8_t> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// A TLS handshake record, version 3.x, that holds a ClientHello (RFC 8446 4 and 5.1).
bool is_tls_hello(std::span<const uint8_t> bytes) {
  return bytes.size() >= 6 && bytes[0] == 0x16 && bytes[1] == 0x03 && bytes[2] <= 0x04 && bytes[5] == 0x01;
}
bool is_http2_preface(std::span<const uint8_t> bytes) {
  return begins_with(bytes, "PRI * HTTP/2.0\r\n");  // RFC 9113 3.4
}

size_t length_of(const RefusalPage& page, RefusalForm form) {
  switch (form) {
    case RefusalForm::kFull:
      return page.full.size();
    case RefusalForm::kHead:
      return page.head_length;
    case RefusalForm::kBare:
      return page.bare.size();
  }
  return 0;
}

uint32_t retry_seconds(const RefusalPage& page, uint32_t cookie) {
  // By the cookie, so that a repeated answer has the same bytes. Its low 29 bits are a keyed hash.
  constexpr unsigned kHashBits = 29;
  const uint64_t hash = cookie & ((1U << kHashBits) - 1);
  return page.retry_after_s + static_cast<uint32_t>(hash * (page.retry_jitter_s + 1) >> kHashBits);
}

}  // namespace

RefusalPage make_refusal_page(uint32_t retry_after_s, uint32_t retry_jitter_s, std::string_view body) {
  CHECK(body.size() <= kRefusalBodyMax && retry_after_s + retry_jitter_s < 100'000);
  RefusalPage page{.retry_after_s = retry_after_s, .retry_jitter_s = retry_jitter_s};
  page.full = head(body.size(), &page.full_retry_at);
  page.head_length = page.full.size();
  page.full += body;
  page.bare = head(0, &page.bare_retry_at);
  CHECK(page.full.size() <= kMssClasses[1] && page.bare.size() <= kMssClasses[0]);
  return page;
}

size_t refusal_frame_max(const RefusalPage& page) {
  return kReplyHeadersMax + std::max(page.full.size(), page.bare.size());
}

RefusalReply refuse_segment(SynCookies& cookies, const RefusalPage& page, const FlowKey& flow,
                            const ClientSegment& segment, uint64_t now_ns) {
  const bool fin = (segment.flags & kTcpFin) != 0;
  const uint32_t received =
      segment.sequence + static_cast<uint32_t>(segment.payload.size()) + (fin ? 1U : 0U);
  const auto is_ours = [&](uint32_t cookie) {
    return cookies.check(CookieKind::kHandshake, flow, cookie, now_ns);
  };

  // Nothing of ours but the SYN-ACK has reached it.
  if (const uint32_t cookie = segment.acknowledgment - 1; const auto mss_class = is_ours(cookie)) {
    if (segment.payload.empty() && !fin) return {.step = RefusalStep::kNothing, .cookie = cookie};
    RefusalReply reply{.step = RefusalStep::kAnswer,
                       .cookie = cookie,
                       .sequence = segment.acknowledgment,
                       .acknowledgment = received};
    if (is_tls_hello(segment.payload) || is_http2_preface(segment.payload)) {
      reply.step = RefusalStep::kNotHttp;
    } else if (begins_with(segment.payload, "HEAD ")) {
      reply.form = RefusalForm::kHead;
    } else if (page.full.size() > kMssClasses[*mss_class]) {
      reply.form = RefusalForm::kBare;
    }
    return reply;
  }
  // It has all that we sent, with the FIN.
  for (const RefusalForm form : {RefusalForm::kFull, RefusalForm::kHead, RefusalForm::kBare}) {
    const auto length = static_cast<uint32_t>(length_of(page, form));
    const uint32_t cookie = segment.acknowledgment - length - 2;
    if (!is_ours(cookie)) continue;
    const bool asks = !segment.payload.empty() || fin;
    return {.step = asks ? RefusalStep::kAcknowledge : RefusalStep::kNothing,
            .cookie = cookie,
            .sequence = segment.acknowledgment,
            .acknowledgment = received};
  }
  return {};
}

uint16_t write_refusal(uint8_t* frame, const ParsedPacket& packet, const RefusalPage& page,
                       const RefusalReply& reply) {
  StatelessReply out{.sequence = reply.sequence,
                     .acknowledgment = reply.acknowledgment,
                     .flags = kTcpAck,
                     .window = kRefusalWindow};
  if (reply.step == RefusalStep::kAnswer) {
    const bool bare = reply.form == RefusalForm::kBare;
    uint8_t* payload = reply_payload(frame, packet);
    out.payload_length = static_cast<uint16_t>(length_of(page, reply.form));
    out.flags = kTcpAck | kTcpPsh | kTcpFin;
    std::memcpy(payload, (bare ? page.bare : page.full).data(), out.payload_length);
    char* digits = reinterpret_cast<char*>(payload + (bare ? page.bare_retry_at : page.full_retry_at));
    static_cast<void>(std::to_chars(digits, digits + kRetryDigits, retry_seconds(page, reply.cookie)));
  }
  return make_stateless_reply(frame, packet, out);
}

uint16_t write_cookie_syn_ack(uint8_t* frame, const ParsedPacket& packet, uint32_t cookie) {
  const uint32_t sequence = header_at<TcpHeader>(frame, packet.l4_offset).sequence.value();
  return make_stateless_reply(frame, packet,
                              {.sequence = cookie,
                               .acknowledgment = sequence + 1,  // data on the SYN is asked for again
                               .flags = kTcpSyn | kTcpAck,
                               .window = kRefusalWindow,
                               .mss = kRefusalMss});
}

uint16_t write_challenge(uint8_t* frame, const ParsedPacket& packet, uint32_t cookie) {
  return make_stateless_reply(frame, packet,
                              {.sequence = 0, .acknowledgment = cookie, .flags = kTcpAck, .window = 0});
}

}  // namespace cheshire
