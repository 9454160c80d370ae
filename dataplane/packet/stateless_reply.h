// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A client's segment becomes our answer to it, in the same buffer: addresses and ports change places, the
// rest is written anew. For answers of which nothing is remembered: SYN-ACKs with a cookie, challenges,
// refusals (http_refusal.h). Pure: no DPDK; the frame must be one that parse_frame() accepted as TCP.
#pragma once

#include <cstdint>

#include "dataplane/packet/parse.h"

namespace cheshire {

struct StatelessReply {
  uint32_t sequence = 0;
  uint32_t acknowledgment = 0;
  uint8_t flags = 0;
  uint16_t window = 0;          // as it is: never scaled, we offer no scaling
  uint16_t mss = 0;             // as an option; 0: none
  uint16_t payload_length = 0;  // written by the caller where reply_payload() says, before
};

inline constexpr uint16_t kMssOptionLength = 4;
// Bytes that a reply takes at most besides its payload.
inline constexpr uint16_t kReplyHeadersMax =
    sizeof(EthernetHeader) + sizeof(VlanTag) + sizeof(Ipv4Header) + sizeof(TcpHeader) + kMssOptionLength;

// Where the payload of a reply without options stands. It lies over the client's own.
[[nodiscard]] inline uint8_t* reply_payload(uint8_t* frame, const ParsedPacket& packet) {
  return frame + packet.l3_offset + sizeof(Ipv4Header) + sizeof(TcpHeader);
}

// Returns the frame's new length; a VLAN tag stays. An MSS and a payload exclude each other.
[[nodiscard]] uint16_t make_stateless_reply(uint8_t* frame, const ParsedPacket& packet,
                                            const StatelessReply& reply);

}  // namespace cheshire
