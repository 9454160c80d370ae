// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/support/guest.h"

#include <rte_mbuf.h>

#include <algorithm>

#include "check.h"

namespace cheshire::test {

uint16_t Guest::to_guest(rte_mbuf** packets, uint16_t count) {
  CHECK(!gone_);
  const auto taken = static_cast<uint16_t>(std::min<size_t>(count, buffers_));
  for (uint16_t i = 0; i < taken; ++i) {
    CHECK(packets[i]->nb_segs == 1 && packets[i]->pkt_len == packets[i]->data_len);
    const auto* bytes = rte_pktmbuf_mtod(packets[i], const uint8_t*);
    incoming_.emplace_back(bytes, bytes + packets[i]->data_len);
  }
  buffers_ -= taken;
  packets_given_ += taken;
  return taken;
}

uint16_t Guest::from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) {
  CHECK(!gone_);
  uint16_t sent = 0;
  for (; sent < count && !outgoing_.empty(); ++sent) {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool);
    if (packet == nullptr) break;
    const Bytes& frame = outgoing_.front();
    char* at = rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size()));
    CHECK(at != nullptr);
    std::copy(frame.begin(), frame.end(), at);
    packets[sent] = packet;
    outgoing_.pop_front();
  }
  packets_sent_ += sent;
  return sent;
}

}  // namespace cheshire::test
