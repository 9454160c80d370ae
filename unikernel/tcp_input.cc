// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Segment arrives: RFC 9293 3.10.7, with the checks of RFC 5961.

#include <cstring>

#include "unikernel/hash.h"
#include "unikernel/tcp.h"

namespace cheshire::grin {
namespace {

constexpr uint16_t kDefaultSegmentBytes = 536;   // RFC 9293 3.7.1, without the option
constexpr uint16_t kSegmentBytesMin = 64;        // less would be a waste of our time
constexpr uint32_t kInitialWindowSegments = 10;  // RFC 6928

std::span<std::byte> receive_buffer(std::span<std::byte> memory, ConnectionId id) {
  return memory.subspan(id * kReceiveBufferBytes, kReceiveBufferBytes);
}

}  // namespace

void Tcp::input(const Segment& segment) {
  const ConnectionId id = segment.destination_port == options_.port
                              ? connections_.find(segment.source_ip, segment.source_port)
                              : kNoIndex;
  // RFC 6528: a clock of 4 us plus a keyed hash of the peer.
  const uint64_t peer = (uint64_t{segment.source_ip} << 16) | segment.source_port;
  auto first_sequence =
      static_cast<uint32_t>(now_us_ >> 2) + static_cast<uint32_t>(mix64(~peer, options_.secret));
  if (id == kNoIndex) {
    input_closed(segment, first_sequence);
    return;
  }
  Connection& c = connections_[id];
  // RFC 9293 3.10.7.4, MAY-2: a client that reuses its port ends TIME-WAIT.
  const bool reopens = c.state == TcpState::kTimeWait && segment.has(kTcpSyn) && !segment.has(kTcpAck) &&
                       !segment.has(kTcpRst) && seq_after(segment.sequence, c.receive_next);
  if (!reopens) {
    input_open(id, segment);
    return;
  }
  constexpr uint32_t kReopenGap = 0x1'0000;
  if (!seq_after(first_sequence, c.send_max)) first_sequence = c.send_max + kReopenGap;
  free(id);
  input_closed(segment, first_sequence);
}

// A segment for which there is no connection (RFC 9293 3.10.7.1 and 3.10.7.2).
void Tcp::input_closed(const Segment& segment, uint32_t first_sequence) {
  if (segment.has(kTcpRst)) return;
  const uint8_t open_flags = segment.flags & (kTcpSyn | kTcpAck | kTcpFin);
  if (segment.destination_port == options_.port && open_flags == kTcpSyn &&
      now_us_ >= options_.listen_from_us) {
    open(segment, first_sequence);
    return;
  }
  send_reset(segment);
}

void Tcp::open(const Segment& segment, uint32_t first_sequence) {
  // A connection in TIME-WAIT has nothing to lose but a duplicate that nobody waits for.
  if (connections_.is_full() && !time_wait_.empty()) free(time_wait_.first);
  const ConnectionId id = connections_.add(segment.source_ip, segment.source_port);
  if (id == kNoIndex) {
    ++options_.counters->table_full;
    return;
  }
  // What the answer needs, the answer, and then the rest: the other side waits for nothing else.
  Connection& c = connections_[id];
  c.peer.mac = segment.source_mac;
  c.initial_sequence = first_sequence;
  c.receive_next = segment.sequence + 1;
  emit_syn_ack(id);
  c.state = TcpState::kSynReceived;
  c.send_unacked = first_sequence;
  c.send_next = first_sequence + 1;
  c.send_max = c.send_next;
  c.send_end = c.send_next;
  c.max_segment_bytes = segment.max_segment != 0 ? segment.max_segment : kDefaultSegmentBytes;
  if (c.max_segment_bytes < kSegmentBytesMin) c.max_segment_bytes = kSegmentBytesMin;
  if (c.max_segment_bytes > options_.max_segment_bytes) c.max_segment_bytes = options_.max_segment_bytes;
  c.congestion.window_bytes = kInitialWindowSegments * c.max_segment_bytes;
  c.congestion.slow_start_threshold_bytes = ~uint32_t{0};
  c.round_trip.timeout_us = kFirstTimeoutUs;
  c.round_trip.is_timed = true;
  c.round_trip.timed_sequence = c.send_next;
  c.round_trip.timed_at_us = now_us_;
  update_timer(id, true);
}

// A segment of a connection: the steps of RFC 9293 3.10.7.4, in its order.
void Tcp::input_open(ConnectionId id, Segment segment) {
  Connection& c = connections_[id];
  if (!accept_sequence(id, segment)) return;
  if (!accept_ack(id, segment)) return;
  c.peer.mac = segment.source_mac;
  if (c.state == TcpState::kTimeWait) return;

  // Cut to the window: what we have already, and what we have no room for.
  if (seq_before(segment.sequence, c.receive_next)) {
    const uint32_t known = c.receive_next - segment.sequence;
    segment.payload =
        segment.payload.subspan(known < segment.payload.size() ? known : segment.payload.size());
    segment.sequence = c.receive_next;
    c.ack_wanted = true;
  }
  const uint32_t window = receive_window(c);
  if (segment.payload.size() > window) {
    segment.payload = segment.payload.first(window);
    segment.flags &= static_cast<uint8_t>(~kTcpFin);
    c.ack_wanted = true;
  }
  if (segment.length() != 0) {
    c.ack_wanted = true;
    if (c.fin.received) {
      // 3.10.7.4, step 7: nothing can follow a FIN.
    } else if (segment.sequence == c.receive_next) {
      process_data(id, segment.payload);
      if (segment.has(kTcpFin)) process_fin(id);
    } else {
      ++options_.counters->out_of_order;
    }
  }
  offer_buffered(id);
  report_fin(id);
  output(id);
  if (c.state == TcpState::kFree) return;
  update_timer(id, c.timer == TimerKind::kIdle);
}

// Steps 1, 2 and 4 of 3.10.7.4: sequence number, RST, SYN. False: done with this segment.
bool Tcp::accept_sequence(ConnectionId id, const Segment& segment) {
  Connection& c = connections_[id];
  // A SYN that we have answered already: the answer was lost, or the SYN was held back and came twice.
  if (c.state == TcpState::kSynReceived && segment.has(kTcpSyn) && !segment.has(kTcpAck | kTcpRst) &&
      segment.sequence + 1 == c.receive_next) {
    emit_syn_ack(id);
    return false;
  }
  const uint32_t window = receive_window(c);
  const uint32_t from_next = segment.sequence - c.receive_next;
  const uint32_t end = segment.sequence + segment.length();
  const bool starts_inside = from_next < window || from_next == 0;
  const bool reaches_inside = seq_before(segment.sequence, c.receive_next) && seq_after(end, c.receive_next);
  if (segment.has(kTcpRst)) {
    // RFC 5961 3.2: only the exact number resets; a near miss asks the peer to repeat.
    if (from_next == 0) {
      free(id);
    } else if (starts_inside) {
      challenge(c);
    }
    return false;
  }
  if (segment.has(kTcpSyn)) {  // RFC 5961 4.2
    challenge(c);
    return false;
  }
  if (!starts_inside && !reaches_inside) {
    c.ack_wanted = true;
    output(id);
    return false;
  }
  return true;
}

// Step 5 of 3.10.7.4. False: this segment needs no more, and the connection may be gone.
bool Tcp::accept_ack(ConnectionId id, const Segment& segment) {
  Connection& c = connections_[id];
  if (!segment.has(kTcpAck)) return false;
  if (c.state == TcpState::kSynReceived) {
    if (segment.acknowledgment != c.send_max) {
      send_reset(segment);
      return false;
    }
    establish(id, segment);
  }
  if (!process_ack(id, segment)) return false;
  const bool fin_acked = c.fin.queued && c.send_unacked == c.send_end + 1;
  if (!fin_acked) return true;
  if (c.state == TcpState::kFinWait1) c.state = TcpState::kFinWait2;
  if (c.state == TcpState::kClosing) enter_time_wait(id);
  if (c.state == TcpState::kLastAck) {
    free(id);
    return false;
  }
  return true;
}

void Tcp::establish(ConnectionId id, const Segment& segment) {
  Connection& c = connections_[id];
  c.state = TcpState::kEstablished;
  c.send_window = segment.window;
  c.window_sequence = segment.sequence;
  c.window_ack = segment.acknowledgment;
  c.attached = true;
  ++options_.counters->opened;
  options_.application->on_open(id);
}

// The payload is the next in order and fits the window.
void Tcp::process_data(ConnectionId id, Bytes payload) {
  Connection& c = connections_[id];
  c.receive_next += static_cast<uint32_t>(payload.size());
  // After the application's close nobody reads any more: acknowledged and thrown away, so that the peer
  // gets to read the last answer instead of a reset.
  if (payload.empty() || !c.attached) return;
  if (c.buffered_bytes == 0) {
    const size_t taken = options_.application->on_data(id, payload);
    payload = payload.subspan(taken);
  }
  if (payload.empty()) return;
  std::memcpy(receive_buffer(receive_memory_, id).data() + c.buffered_bytes, payload.data(), payload.size());
  c.buffered_bytes = static_cast<uint16_t>(c.buffered_bytes + payload.size());
}

void Tcp::offer_buffered(ConnectionId id) {
  Connection& c = connections_[id];
  if (c.buffered_bytes == 0 || !c.attached) return;
  const std::span<std::byte> buffer = receive_buffer(receive_memory_, id).first(c.buffered_bytes);
  const size_t taken = options_.application->on_data(id, buffer);
  if (taken == 0) return;
  c.buffered_bytes = static_cast<uint16_t>(c.buffered_bytes - taken);
  std::memmove(buffer.data(), buffer.data() + taken, c.buffered_bytes);
}

void Tcp::process_fin(ConnectionId id) {
  Connection& c = connections_[id];
  c.fin.received = true;
  ++c.receive_next;
  switch (c.state) {
    case TcpState::kEstablished:
      c.state = TcpState::kCloseWait;
      break;
    case TcpState::kFinWait1:
      c.state = TcpState::kClosing;
      break;
    case TcpState::kFinWait2:
      enter_time_wait(id);
      break;
    default:
      break;
  }
}

void Tcp::report_fin(ConnectionId id) {
  Connection& c = connections_[id];
  if (!c.fin.received || c.fin.reported || c.buffered_bytes != 0 || !c.attached) return;
  c.fin.reported = true;
  options_.application->on_peer_closed(id);
}

void Tcp::challenge(Connection& c) {
  const uint64_t second = now_us_ >> 20;
  if (second != challenge_second_) {
    challenge_second_ = second;
    challenge_count_ = 0;
  }
  if (challenge_count_ >= kChallengeAcksMax) return;
  ++challenge_count_;
  if (!emit(connections_.id_of(c), c.send_next, 0, false)) ++options_.counters->tx_full;
}

}  // namespace cheshire::grin
