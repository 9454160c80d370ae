// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/tcp.h"

namespace cheshire::grin {
namespace {

uint64_t earlier(uint64_t left, uint64_t right) {
  return left < right ? left : right;
}

TimerKind wanted_timer(const Connection& c) {
  if (c.state == TcpState::kTimeWait) return TimerKind::kNone;
  if (c.send_unacked != c.send_max) {
    return c.send_window == 0 && c.state != TcpState::kSynReceived ? TimerKind::kPersist
                                                                   : TimerKind::kRetransmit;
  }
  if (c.send_next != c.send_end && c.send_next != c.send_end + 1) return TimerKind::kPersist;
  return c.state == TcpState::kFinWait2 ? TimerKind::kFinWait2 : TimerKind::kIdle;
}

// From which send_reset() answers as if the peer had just acknowledged all: the reset tells it that we have given up.
Segment last_segment_of(const Connection& c, uint16_t local_port) {
  Segment last;
  last.source_mac = c.peer.mac;
  last.source_ip = c.peer.ip;
  last.source_port = c.peer.port;
  last.destination_port = local_port;
  last.acknowledgment = c.send_next;
  last.flags = kTcpAck;
  return last;
}

}  // namespace

bool Tcp::init(const Options& options, Arena& arena, size_t capacity) {
  options_ = options;
  const size_t bounded = capacity < kConnectionsMax ? capacity : kConnectionsMax;
  const size_t count = bounded + 1;  // entry 0 is not used
  const bool has_table = connections_.init(arena, bounded, options.secret);
  links_ = arena.take<IndexLink>(count);
  pending_links_ = arena.take<IndexLink>(count);
  const std::span<TimerWheel::Entry> entries = arena.take<TimerWheel::Entry>(count);
  receive_memory_ = arena.take<std::byte>(count * kReceiveBufferBytes);
  wheel_.init(links_, entries);
  return has_table && !links_.empty() && !pending_links_.empty() && !entries.empty() &&
         !receive_memory_.empty();
}

void Tcp::detach(ConnectionId id) {
  if (!connections_[id].attached) return;
  connections_[id].attached = false;
  options_.application->on_gone(id);
}

void Tcp::free(ConnectionId id) {
  detach(id);
  Connection& c = connections_[id];
  if (c.state == TcpState::kTimeWait) {
    time_wait_.remove(links_, id);
    --time_wait_count_;
  } else {
    wheel_.cancel(id);
  }
  if (c.output_pending) pending_.remove(pending_links_, id);
  connections_.remove(id);
}

// All wait equally long, so a list in order of arrival replaces the wheel.
void Tcp::enter_time_wait(ConnectionId id) {
  detach(id);
  wheel_.cancel(id);
  Connection& c = connections_[id];
  c.state = TcpState::kTimeWait;
  c.timer = TimerKind::kNone;
  c.deadline_us = now_us_ + kTimeWaitUs;
  time_wait_.push_back(links_, id);
  ++time_wait_count_;
}

void Tcp::update_timer(ConnectionId id, bool restart) {
  Connection& c = connections_[id];
  const TimerKind wanted = wanted_timer(c);
  if (wanted == TimerKind::kNone || (wanted == c.timer && !restart)) return;
  c.timer = wanted;
  uint64_t delay_us = c.round_trip.timeout_us;
  if (wanted == TimerKind::kIdle) delay_us = kIdleUs;
  if (wanted == TimerKind::kFinWait2) delay_us = kFinWait2Us;
  c.deadline_us = now_us_ + delay_us;
  wheel_.arm(id, c.deadline_us);
}

void Tcp::on_timeout(ConnectionId id) {
  Connection& c = connections_[id];
  switch (c.timer) {
    case TimerKind::kFinWait2:
      free(id);
      return;
    case TimerKind::kIdle:
      if (options_.application->on_idle(id)) c.fin.queued = true;
      output(id);
      update_timer(id, true);
      return;
    case TimerKind::kRetransmit:
    case TimerKind::kPersist:
      on_retransmit_timeout(id);
      return;
    case TimerKind::kNone:
      return;
  }
}

// RFC 6298 5.4 to 5.7 and RFC 5681 3.1; with a closed window, the probe of RFC 9293 3.8.6.1.
void Tcp::on_retransmit_timeout(ConnectionId id) {
  Connection& c = connections_[id];
  const bool opening = c.state == TcpState::kSynReceived;
  if (++c.retries > (opening ? kSynRetriesMax : kRetriesMax)) {
    send_reset(last_segment_of(c, options_.port));
    free(id);
    return;
  }
  c.round_trip.timeout_us =
      static_cast<uint32_t>(earlier(uint64_t{c.round_trip.timeout_us} * 2, kTimeoutMaxUs));
  c.round_trip.is_timed = false;  // Karn: no sample from what was sent twice
  c.congestion.in_recovery = false;
  c.congestion.duplicate_acks = 0;
  if (opening) {
    emit_syn_ack(id);
  } else if (c.timer == TimerKind::kPersist) {
    const bool has_byte = c.send_unacked != c.send_end;
    c.send_next = c.send_unacked;
    if (emit(id, c.send_unacked, has_byte ? 1 : 0, !has_byte && c.fin.queued)) {
      c.send_next = c.send_unacked + 1;
    }
  } else {
    const uint32_t flight_bytes = c.send_max - c.send_unacked;
    const uint32_t floor_bytes = 2U * c.max_segment_bytes;
    c.congestion.slow_start_threshold_bytes = flight_bytes / 2 > floor_bytes ? flight_bytes / 2 : floor_bytes;
    c.congestion.window_bytes = c.max_segment_bytes;
    c.send_next = c.send_unacked;
    output(id);
  }
  update_timer(id, true);
}

void Tcp::run_timers() {
  while (!time_wait_.empty() && connections_[time_wait_.first].deadline_us <= now_us_) {
    free(time_wait_.first);
  }
  for (Index id = wheel_.pop_expired(now_us_); id != kNoIndex; id = wheel_.pop_expired(now_us_)) {
    const uint64_t deadline_us = connections_[id].deadline_us;
    if (deadline_us > now_us_) {
      wheel_.arm(id, deadline_us);
    } else {
      on_timeout(id);
    }
  }
}

uint64_t Tcp::next_deadline_us() const {
  const uint64_t wheel_us = wheel_.next_deadline_us();
  return time_wait_.empty() ? wheel_us : earlier(wheel_us, connections_[time_wait_.first].deadline_us);
}

void Tcp::run_pending() {
  // Each once: who meets the full ring again goes to the end of the list.
  const Index last = pending_.last;
  while (!pending_.empty()) {
    const Index id = pending_.pop_front(pending_links_);
    connections_[id].output_pending = false;
    output(id);
    update_timer(id, false);
    if (id == last) return;
  }
}

void Tcp::push(ConnectionId id) {
  output(id);
  update_timer(id, false);
}

void Tcp::resume(ConnectionId id) {
  Connection& c = connections_[id];
  offer_buffered(id);
  report_fin(id);
  // Tell the peer of a window that has opened by a segment or by half of all (RFC 9293 3.8.6.2.2).
  const uint32_t gain = c.receive_next + receive_window(c) - c.receive_edge;
  if (gain >= c.max_segment_bytes || gain >= kReceiveBufferBytes / 2) c.ack_wanted = true;
  push(id);
}

}  // namespace cheshire::grin
