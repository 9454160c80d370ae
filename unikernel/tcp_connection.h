// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The state of one TCP connection, with the names of RFC 9293 3.3.1 spelled out. All zero is a free entry.
#pragma once

#include <cstddef>
#include <cstdint>

#include "unikernel/index_list.h"
#include "unikernel/wire.h"

namespace cheshire::grin {

using ConnectionId = Index;

inline constexpr size_t kReceiveBufferBytes = 4096;

enum class TcpState : uint8_t {
  kFree,
  kSynReceived,
  kEstablished,
  kFinWait1,
  kFinWait2,
  kClosing,
  kTimeWait,
  kCloseWait,
  kLastAck,
};

// What the one timer of a connection is for.
enum class TimerKind : uint8_t {
  kNone,
  kRetransmit,  // something is not acknowledged, RFC 6298
  kPersist,     // something waits for the peer's window to open, RFC 9293 3.8.6.1
  kFinWait2,    // the peer does not close its side
  kIdle,        // nothing happens
};

// Who is on the other side; the first two find the connection.
struct Peer {
  uint32_t ip;
  uint16_t port;
  MacAddress mac;
};

// RFC 6298: what the timeout for a retransmission is made of.
struct RoundTrip {
  uint64_t timed_at_us;  // when timed_sequence was sent
  uint32_t timed_sequence;
  uint32_t smoothed_us;  // SRTT; 0: no sample yet
  uint32_t variation_us;
  uint32_t timeout_us;  // RTO
  bool is_timed;        // timed_sequence is being measured
};

// How much may be in flight, and what is done about a loss (RFC 5681 and 6582).
struct Congestion {
  uint32_t window_bytes;
  uint32_t slow_start_threshold_bytes;
  uint32_t recovery_end;   // fast recovery lasts until this is acknowledged
  uint8_t duplicate_acks;  // in a row
  bool in_recovery;
};

// How far each side has come in closing its stream.
struct Fin {
  bool queued;    // the application closed; FIN follows send_end
  bool received;  // the peer's FIN is in order and acknowledged
  bool reported;  // the application was told
};

// Ordered by alignment, so that little of it is padding.
struct Connection {
  uint64_t deadline_us;  // of the timer
  RoundTrip round_trip;
  Congestion congestion;
  Peer peer;

  uint32_t initial_sequence;  // ISS
  uint32_t send_unacked;      // SND.UNA
  uint32_t send_next;         // SND.NXT; goes back after a timeout
  uint32_t send_max;          // the highest SND.NXT ever
  uint32_t send_end;          // sequence after the last byte that the application promised
  uint32_t send_window;       // SND.WND
  uint32_t window_sequence;   // SND.WL1
  uint32_t window_ack;        // SND.WL2
  uint32_t receive_next;      // RCV.NXT
  uint32_t receive_edge;      // RCV.NXT + RCV.WND as last told to the peer

  Index hash_next;
  uint16_t max_segment_bytes;
  uint16_t buffered_bytes;  // received, in order, not yet taken by the application

  TcpState state;
  TimerKind timer;
  uint8_t retries;  // timeouts in a row without any answer
  Fin fin;
  bool attached;        // the application knows this connection
  bool ack_wanted;      // the peer must get an ACK, alone or with data
  bool output_pending;  // on the list of those that met a full transmit ring
};

static_assert(sizeof(Connection) == 128, "two cache lines");

// RCV.WND: what the receive buffer has room for.
[[nodiscard]] inline uint32_t receive_window(const Connection& c) {
  return static_cast<uint32_t>(kReceiveBufferBytes) - c.buffered_bytes;
}

}  // namespace cheshire::grin
