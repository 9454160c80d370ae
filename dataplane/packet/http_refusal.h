// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// 503 without state: what to answer to a segment that belongs to no flow, of a service that refuses by HTTP.
//
//   client                                    worker (remembers nothing)
//   SYN ─────────────────────────────────────► SYN-ACK, its sequence number a cookie (syn_cookie.h)
//   ACK of it ───────────────────────────────► nothing
//   first data, ACK still cookie + 1 ────────► 503, Connection: close, FIN, all in one segment;
//                                              everything received so far is acknowledged
//   more data of the same request, likewise ─► the same again: what the client has, it ignores
//   ACK of our FIN ──────────────────────────► nothing
//   data or FIN after it ────────────────────► an ACK
//
// A segment tells by its acknowledgment where the client stands: cookie + 1, or cookie + 1 + length of one of
// our three answers + 1. Anything else, or a cookie that is not ours, is foreign and reset. As nothing is
// remembered, nothing is sent again by a clock: a client that missed our answer sends its data again and gets
// it then.
//
// Split and pipelined requests are answered at their first segment. A client that speaks TLS or HTTP/2
// without having asked would not understand the answer and is reset; both are told by their first bytes,
// strictly, as the bytes may also be the middle of a request.
//
// Pure: no DPDK. Fuzzed by tests/fuzz/refusal_fuzz.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/syn_cookie.h"
#include "refusal_page.h"

namespace cheshire {

// Of a SYN-ACK with a cookie, and after it. A client that has much to say is not invited to.
inline constexpr uint16_t kRefusalWindow = 16384;
inline constexpr uint16_t kRefusalMss = 1460;

// `body`: at most kRefusalBodyMax bytes, shown as text/plain; times up to kRetryAfterMaxS.
[[nodiscard]] RefusalPage make_refusal_page(uint32_t retry_after_s, uint32_t retry_jitter_s,
                                            std::string_view body);

struct ClientSegment {
  uint8_t flags = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgment = 0;
  std::span<const uint8_t> payload;
};

enum class RefusalStep : uint8_t {
  kForeign,      // no cookie of ours: to be reset
  kNothing,      // ours, and nothing to say
  kAnswer,       // the page
  kAcknowledge,  // an empty ACK
  kNotHttp,      // ours, but it speaks something else: to be reset
};

enum class RefusalForm : uint8_t { kFull, kHead, kBare };

struct RefusalReply {
  RefusalStep step = RefusalStep::kForeign;
  RefusalForm form = RefusalForm::kFull;  // with kAnswer
  uint32_t cookie = 0;                    // but with kForeign
  uint32_t sequence = 0;                  // of the reply
  uint32_t acknowledgment = 0;
};

// For a segment with ACK and without SYN or RST.
[[nodiscard]] RefusalReply refuse_segment(SynCookies& cookies, const RefusalPage& page, const FlowKey& flow,
                                          const ClientSegment& segment, uint64_t now_ns);

// What a worker needs of buffer for any answer of this page.
[[nodiscard]] size_t refusal_frame_max(const RefusalPage& page);

// The client's frame becomes the reply; kAnswer and kAcknowledge only. Returns its new length.
[[nodiscard]] uint16_t write_refusal(uint8_t* frame, const ParsedPacket& packet, const RefusalPage& page,
                                     const RefusalReply& reply);

// The SYN becomes our SYN-ACK.
[[nodiscard]] uint16_t write_cookie_syn_ack(uint8_t* frame, const ParsedPacket& packet, uint32_t cookie);

// The SYN becomes the challenge: an ACK of something that the client never sent. A client that is really
// there resets it with the cookie as its sequence number (RFC 9293 3.10.7.3), and sends its SYN again.
[[nodiscard]] uint16_t write_challenge(uint8_t* frame, const ParsedPacket& packet, uint32_t cookie);

}  // namespace cheshire
