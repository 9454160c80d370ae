// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What leaves: data, FIN, ACK, SYN-ACK and RST.

#include <cstring>

#include "unikernel/checksum.h"
#include "unikernel/tcp.h"

namespace cheshire::grin {
namespace {

constexpr uint8_t kTimeToLive = 64;
constexpr size_t kIpOffset = sizeof(EthernetHeader);
constexpr size_t kTcpOffset = kIpOffset + sizeof(Ipv4Header);

struct HeaderFields {
  const MacAddress& mac;
  uint32_t ip;
  uint16_t port;
  uint16_t local_port;
  uint32_t sequence;
  uint32_t acknowledgment;
  uint16_t window;
  uint8_t flags;
};

// `frame` is the whole frame, with payload and options already in place; `own` has our addresses.
void write_headers(std::span<std::byte> frame, const Tcp::Options& own, const HeaderFields& fields) {
  auto& ethernet = header_at<EthernetHeader>(frame, 0);
  ethernet.destination = fields.mac;
  ethernet.source = own.mac;
  ethernet.ether_type = be16(kEtherTypeIpv4);

  const size_t ip_size_bytes = frame.size() - kIpOffset;
  auto& ip = header_at<Ipv4Header>(frame, kIpOffset);
  ip.version_ihl = 0x45;
  ip.dscp_ecn = 0;
  ip.total_length = be16(static_cast<uint16_t>(ip_size_bytes));
  ip.identification = be16(0);  // RFC 6864 4.1: never fragmented, so never used
  ip.flags_fragment = be16(kIpv4DontFragment);
  ip.ttl = kTimeToLive;
  ip.protocol = kIpProtocolTcp;
  ip.checksum = be16(0);
  ip.source = be32(own.ip);
  ip.destination = be32(fields.ip);
  const auto ip_bytes = frame.subspan(kIpOffset, sizeof(Ipv4Header));
  store_checksum(ip.checksum, finish_checksum(partial_checksum(ip_bytes)));

  auto& tcp = header_at<TcpHeader>(frame, kTcpOffset);
  tcp.source_port = be16(fields.local_port);
  tcp.destination_port = be16(fields.port);
  tcp.sequence = be32(fields.sequence);
  tcp.acknowledgment = be32(fields.acknowledgment);
  tcp.flags = fields.flags;
  tcp.window = be16(fields.window);
  tcp.checksum = be16(0);
  tcp.urgent = be16(0);
  const size_t tcp_size_bytes = frame.size() - kTcpOffset;
  const uint64_t pseudo = pseudo_header_sum(own.ip, fields.ip, kIpProtocolTcp, tcp_size_bytes);
  store_checksum(tcp.checksum, finish_checksum(partial_checksum(frame.subspan(kTcpOffset), pseudo)));
}

// What was just sent, for the round trip's measurement and SND.MAX. True if it was sent before.
bool note_sent(Connection& c, uint32_t sequence, uint32_t size, uint64_t now_us) {
  if (size == 0) return false;
  const uint32_t end = sequence + size;
  const bool again = seq_before(sequence, c.send_max);
  if (again) {
    c.round_trip.is_timed = false;
  } else if (!c.round_trip.is_timed) {
    c.round_trip.is_timed = true;
    c.round_trip.timed_sequence = end;
    c.round_trip.timed_at_us = now_us;
  }
  if (seq_after(end, c.send_max)) c.send_max = end;
  return again;
}

}  // namespace

// Sends bytes [sequence, sequence + size_bytes) and, if `fin`, the FIN behind them; always with an ACK. False
// if the ring is full.
bool Tcp::emit(ConnectionId id, uint32_t sequence, uint32_t size_bytes, bool fin) {
  Connection& c = connections_[id];
  const std::span<std::byte> room = options_.frames->next_frame();
  if (room.empty()) return false;
  const std::span<std::byte> frame = room.first(kTcpFrameHeaderBytes + size_bytes);
  if (size_bytes != 0) {
    options_.application->fill(id, sequence - c.initial_sequence - 1, frame.subspan(kTcpFrameHeaderBytes));
  }
  uint8_t flags = kTcpAck;
  if (size_bytes != 0) flags |= kTcpPsh;
  if (fin) flags |= kTcpFin;
  const uint32_t window = receive_window(c);
  header_at<TcpHeader>(frame, kTcpOffset).data_offset = sizeof(TcpHeader) / 4 << 4;
  write_headers(frame, options_,
                {.mac = c.peer.mac,
                 .ip = c.peer.ip,
                 .port = c.peer.port,
                 .local_port = options_.port,
                 .sequence = sequence,
                 .acknowledgment = c.receive_next,
                 .window = static_cast<uint16_t>(window),
                 .flags = flags});
  options_.frames->send(frame.size());
  c.ack_wanted = false;
  c.receive_edge = c.receive_next + window;
  if (note_sent(c, sequence, size_bytes + (fin ? 1 : 0), now_us_)) ++options_.counters->retransmits;
  return true;
}

void Tcp::output(ConnectionId id) {
  Connection& c = connections_[id];
  if (c.state == TcpState::kFree) return;
  while (output_segment(id)) {
  }
  if (c.ack_wanted && !c.output_pending && !emit(id, c.send_next, 0, false)) ++options_.counters->tx_full;
}

// Sends the next segment if there is one and it may go. False if there is nothing more to do now.
bool Tcp::output_segment(ConnectionId id) {
  Connection& c = connections_[id];
  if (c.state == TcpState::kSynReceived || c.state == TcpState::kTimeWait) return false;
  if (c.send_next == c.send_end + 1) return false;  // FIN and all is sent
  const uint32_t left = c.send_end - c.send_next;
  const uint32_t flight = c.send_next - c.send_unacked;
  const uint32_t window =
      c.send_window < c.congestion.window_bytes ? c.send_window : c.congestion.window_bytes;
  const uint32_t usable = window > flight ? window - flight : 0;
  uint32_t size = left < usable ? left : usable;
  if (size > c.max_segment_bytes) size = c.max_segment_bytes;
  const bool fin = c.fin.queued && size == left;
  if (size == 0 && !fin) return false;
  // Silly window avoidance (RFC 9293 3.8.6.2.1): a short segment only if it is the last or nothing is in
  // flight.
  if (size < left && size < c.max_segment_bytes && flight != 0) return false;
  if (!emit(id, c.send_next, size, fin)) {
    if (!c.output_pending) pending_.push_back(pending_links_, id);
    c.output_pending = true;
    return false;
  }
  c.send_next += size + (fin ? 1 : 0);
  if (fin && c.state == TcpState::kEstablished) c.state = TcpState::kFinWait1;
  if (fin && c.state == TcpState::kCloseWait) c.state = TcpState::kLastAck;
  return true;
}

void Tcp::retransmit_head(ConnectionId id) {
  Connection& c = connections_[id];
  const uint32_t left = seq_before(c.send_unacked, c.send_end) ? c.send_end - c.send_unacked : 0;
  const uint32_t size = left < c.max_segment_bytes ? left : c.max_segment_bytes;
  const bool fin = size == left && c.fin.queued && c.send_max == c.send_end + 1;
  if (size == 0 && !fin) return;
  if (!emit(id, c.send_unacked, size, fin)) ++options_.counters->tx_full;
}

void Tcp::emit_syn_ack(ConnectionId id) {
  constexpr size_t kOptionBytes = 4;
  Connection& c = connections_[id];
  c.receive_edge = c.receive_next + static_cast<uint32_t>(kReceiveBufferBytes);
  const std::span<std::byte> room = options_.frames->next_frame();
  if (room.empty()) {
    ++options_.counters->tx_full;
    return;
  }
  const std::span<std::byte> frame = room.first(kTcpFrameHeaderBytes + kOptionBytes);
  frame[kTcpFrameHeaderBytes] = std::byte{2};  // maximum segment size
  frame[kTcpFrameHeaderBytes + 1] = std::byte{kOptionBytes};
  header_at<be16>(frame, kTcpFrameHeaderBytes + 2) = be16(options_.max_segment_bytes);
  header_at<TcpHeader>(frame, kTcpOffset).data_offset = (sizeof(TcpHeader) + kOptionBytes) / 4 << 4;
  write_headers(frame, options_,
                {.mac = c.peer.mac,
                 .ip = c.peer.ip,
                 .port = c.peer.port,
                 .local_port = options_.port,
                 .sequence = c.initial_sequence,
                 .acknowledgment = c.receive_next,
                 .window = static_cast<uint16_t>(kReceiveBufferBytes),
                 .flags = kTcpSyn | kTcpAck});
  options_.frames->send(frame.size());
  if (c.retries != 0) ++options_.counters->retransmits;
}

// Answers a segment that belongs to no connection (RFC 9293 3.10.7.1).
void Tcp::send_reset(const Segment& segment) {
  const std::span<std::byte> room = options_.frames->next_frame();
  if (room.empty()) {
    ++options_.counters->tx_full;
    return;
  }
  const std::span<std::byte> frame = room.first(kTcpFrameHeaderBytes);
  header_at<TcpHeader>(frame, kTcpOffset).data_offset = sizeof(TcpHeader) / 4 << 4;
  const bool has_ack = segment.has(kTcpAck);
  write_headers(frame, options_,
                {.mac = segment.source_mac,
                 .ip = segment.source_ip,
                 .port = segment.source_port,
                 .local_port = segment.destination_port,
                 .sequence = has_ack ? segment.acknowledgment : 0,
                 .acknowledgment = has_ack ? 0 : segment.sequence + segment.length(),
                 .window = 0,
                 .flags = has_ack ? kTcpRst : static_cast<uint8_t>(kTcpRst | kTcpAck)});
  options_.frames->send(frame.size());
  ++options_.counters->resets_sent;
}

}  // namespace cheshire::grin
