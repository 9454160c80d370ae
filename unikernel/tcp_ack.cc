// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What an acknowledgment tells: the peer's window (RFC 9293 3.10.7.4), congestion (RFC 5681, 6582) and the
// round trip (RFC 6298).

#include "unikernel/tcp.h"

namespace cheshire::grin {
namespace {

constexpr uint8_t kFastRetransmitAcks = 3;                // RFC 5681 3.2
constexpr uint32_t kCongestionWindowBytesMax = 1U << 20;  // 16 times what a peer can offer us

uint32_t larger(uint32_t left, uint32_t right) {
  return left > right ? left : right;
}

void update_send_window(Connection& c, const Segment& segment) {
  const bool newer =
      seq_before(c.window_sequence, segment.sequence) ||
      (c.window_sequence == segment.sequence && !seq_after(c.window_ack, segment.acknowledgment));
  if (!newer) return;
  // A probe into the closed window was most likely thrown away: send it again with what follows it.
  const bool opens = c.send_window == 0 && segment.window != 0;
  c.send_window = segment.window;
  c.window_sequence = segment.sequence;
  c.window_ack = segment.acknowledgment;
  if (opens) c.send_next = segment.acknowledgment;
}

// RFC 6298 2.3 to 2.5, with a smaller minimum, as Linux has it.
void update_timeout(Connection& c) {
  uint64_t timeout_us = c.round_trip.smoothed_us + uint64_t{4} * c.round_trip.variation_us;
  if (timeout_us < kTimeoutMinUs) timeout_us = kTimeoutMinUs;
  if (timeout_us > kTimeoutMaxUs) timeout_us = kTimeoutMaxUs;
  c.round_trip.timeout_us = static_cast<uint32_t>(timeout_us);
}

// Takes one measurement of the round trip into account (RFC 6298 2.2 and 2.3).
void sample_rtt(Connection& c, uint64_t rtt_us) {
  const uint64_t bounded_us = rtt_us < kTimeoutMaxUs ? rtt_us : kTimeoutMaxUs;
  const auto rtt = static_cast<uint32_t>(bounded_us != 0 ? bounded_us : 1);
  if (c.round_trip.smoothed_us == 0) {
    c.round_trip.smoothed_us = rtt;
    c.round_trip.variation_us = rtt / 2;
  } else {
    const uint32_t old = c.round_trip.smoothed_us;
    const uint32_t error = old > rtt ? old - rtt : rtt - old;
    c.round_trip.variation_us = c.round_trip.variation_us - c.round_trip.variation_us / 4 + error / 4;
    c.round_trip.smoothed_us = old - old / 8 + rtt / 8;
    if (c.round_trip.smoothed_us == 0) c.round_trip.smoothed_us = 1;
  }
  update_timeout(c);
}

}  // namespace

bool Tcp::process_ack(ConnectionId id, const Segment& segment) {
  Connection& c = connections_[id];
  const uint32_t ack = segment.acknowledgment;
  if (seq_after(ack, c.send_max)) {  // of something that we never sent
    challenge(c);
    return false;
  }
  if (seq_before(ack, c.send_unacked)) return true;
  c.retries = 0;
  const uint32_t acked = ack - c.send_unacked;
  const bool same_window = segment.window == c.send_window;
  update_send_window(c, segment);
  if (acked != 0) {
    on_new_ack(id, acked, ack);
  } else if (segment.length() == 0 && same_window && c.send_max != c.send_unacked && c.send_window != 0) {
    on_duplicate_ack(id);
  }
  return true;
}

void Tcp::on_new_ack(ConnectionId id, uint32_t acked_bytes, uint32_t ack) {
  Connection& c = connections_[id];
  c.send_unacked = ack;
  if (seq_before(c.send_next, ack)) c.send_next = ack;
  c.congestion.duplicate_acks = 0;
  if (c.round_trip.is_timed && !seq_before(ack, c.round_trip.timed_sequence)) {
    c.round_trip.is_timed = false;
    sample_rtt(c, now_us_ - c.round_trip.timed_at_us);
  } else if (c.round_trip.smoothed_us != 0) {
    update_timeout(c);  // progress undoes the back-off
  }
  const uint32_t segment_bytes = c.max_segment_bytes;
  if (c.congestion.in_recovery && seq_before(ack, c.congestion.recovery_end)) {
    // RFC 6582 3.2, partial acknowledgment: the next hole.
    const uint32_t window = c.congestion.window_bytes;
    c.congestion.window_bytes =
        larger(window > acked_bytes ? window - acked_bytes : 0, segment_bytes) + segment_bytes;
    retransmit_head(id);
  } else if (c.congestion.in_recovery) {
    c.congestion.in_recovery = false;
    c.congestion.window_bytes = c.congestion.slow_start_threshold_bytes;
  } else if (c.congestion.window_bytes < c.congestion.slow_start_threshold_bytes) {
    c.congestion.window_bytes += acked_bytes < segment_bytes ? acked_bytes : segment_bytes;
  } else {
    c.congestion.window_bytes += larger(segment_bytes * segment_bytes / c.congestion.window_bytes, 1);
  }
  if (c.congestion.window_bytes > kCongestionWindowBytesMax) {
    c.congestion.window_bytes = kCongestionWindowBytesMax;
  }
  if (c.attached) {
    const uint32_t stream = ack - c.initial_sequence - 1;
    const bool fin_acked = c.fin.queued && ack == c.send_end + 1;
    options_.application->on_acked(id, fin_acked ? stream - 1 : stream);
  }
  update_timer(id, true);
}

// The third in a row is taken for a loss (RFC 5681 3.2).
void Tcp::on_duplicate_ack(ConnectionId id) {
  Connection& c = connections_[id];
  if (c.congestion.duplicate_acks < 255) ++c.congestion.duplicate_acks;
  const uint32_t segment_bytes = c.max_segment_bytes;
  if (c.congestion.in_recovery) {
    c.congestion.window_bytes += segment_bytes;
    return;
  }
  if (c.congestion.duplicate_acks != kFastRetransmitAcks) return;
  c.congestion.in_recovery = true;
  c.congestion.recovery_end = c.send_max;
  c.congestion.slow_start_threshold_bytes = larger((c.send_max - c.send_unacked) / 2, 2 * segment_bytes);
  c.congestion.window_bytes = c.congestion.slow_start_threshold_bytes + kFastRetransmitAcks * segment_bytes;
  retransmit_head(id);
}

}  // namespace cheshire::grin
