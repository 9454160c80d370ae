// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/support/sink_port.h"

#include <rte_mbuf.h>

#include <cstring>

namespace cheshire {
namespace {

struct Frame {
  EthernetHeader ethernet;
  Ipv4Header ip;
  TcpHeader tcp;
};

}  // namespace

uint16_t SinkPort::to_guest(rte_mbuf** packets, uint16_t count) {
  taken_ += count;
  if (answers_) look_for_syns(packets, count);
  return count;
}

void SinkPort::look_for_syns(rte_mbuf** packets, uint16_t count) {
  for (uint16_t i = 0; i < count; ++i) {
    const auto* frame = rte_pktmbuf_mtod(packets[i], const Frame*);
    if (packets[i]->data_len < sizeof(Frame) || frame->tcp.flags != kTcpSyn) continue;
    asked_.push_back({frame->ip, frame->tcp});
  }
}

uint16_t SinkPort::from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) {
  return asked_.empty() ? 0 : answer(pool, packets, count);
}

uint16_t SinkPort::answer(rte_mempool* pool, rte_mbuf** packets, uint16_t count) {
  uint16_t sent = 0;
  for (; sent < count && !asked_.empty(); ++sent) {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool);
    if (packet == nullptr) break;
    const Asked asked = asked_.back();
    asked_.pop_back();
    Frame frame{.ethernet = {kGatewayMac, kGuestMac, be16(kEtherTypeIpv4)}, .ip = asked.ip, .tcp = asked.tcp};
    std::swap(frame.ip.source, frame.ip.destination);
    std::swap(frame.tcp.source_port, frame.tcp.destination_port);
    frame.tcp.acknowledgment = be32(asked.tcp.sequence.value() + 1);
    frame.tcp.sequence = be32(5000);
    // Without options or payload, whatever was asked; the sums are wrong, which is the client's to see.
    frame.ip.total_length = be16(sizeof(Ipv4Header) + sizeof(TcpHeader));
    frame.tcp.data_offset = 5 << 4;
    frame.tcp.flags = kTcpSyn | kTcpAck;
    std::memcpy(rte_pktmbuf_append(packet, sizeof(frame)), &frame, sizeof(frame));
    packets[sent] = packet;
  }
  return sent;
}

}  // namespace cheshire
