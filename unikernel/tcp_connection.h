// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The state of one TCP connection, with the names of RFC 9293 3.3.1 spelled out. All zero is a free entry.

#pragma once

#include <cstdint>

#include "unikernel/index_list.h"
#include "unikernel/wire.h"

namespace grin {

using ConnectionId = Index;

enum class TcpState : std::uint8_t {
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
enum class TimerKind : std::uint8_t {
  kNone,
  kRetransmit,  // something is not acknowledged, RFC 6298
  kPersist,     // something waits for the peer's window to open, RFC 9293 3.8.6.1
  kFinWait2,    // the peer does not close its side
  kIdle,        // nothing happens
};

struct Connection {
  std::uint64_t deadline_us;  // of the timer
  std::uint64_t timed_at_us;  // when timed_sequence was sent
  std::uint32_t remote_ip;
  std::uint16_t remote_port;
  MacAddress remote_mac;
  TcpState state;
  TimerKind timer;
  std::uint8_t retries;         // timeouts in a row without any answer
  std::uint8_t duplicate_acks;  // in a row
  Index hash_next;

  std::uint32_t initial_sequence;  // ISS
  std::uint32_t send_unacked;      // SND.UNA
  std::uint32_t send_next;         // SND.NXT; goes back after a timeout
  std::uint32_t send_max;          // the highest SND.NXT ever
  std::uint32_t send_end;          // sequence after the last byte that the application promised
  std::uint32_t send_window;       // SND.WND
  std::uint32_t window_sequence;   // SND.WL1
  std::uint32_t window_ack;        // SND.WL2
  std::uint32_t receive_next;      // RCV.NXT
  std::uint32_t receive_edge;      // RCV.NXT + RCV.WND as last told to the peer

  std::uint32_t congestion_window_bytes;
  std::uint32_t slow_start_threshold_bytes;
  std::uint32_t recovery_end;  // fast recovery lasts until this is acknowledged, RFC 6582
  std::uint32_t timed_sequence;
  std::uint32_t smoothed_rtt_us;  // SRTT; 0: no sample yet
  std::uint32_t rtt_variation_us;
  std::uint32_t timeout_us;  // RTO
  std::uint16_t max_segment_bytes;
  std::uint16_t buffered_bytes;  // received, in order, not yet taken by the application

  bool fin_queued;    // the application closed; FIN follows send_end
  bool fin_received;  // the peer's FIN is in order and acknowledged
  bool fin_reported;  // the application was told
  bool attached;      // the application knows this connection
  bool ack_wanted;    // the peer must get an ACK, alone or with data
  bool in_recovery;
  bool timing;          // timed_sequence is being measured
  bool output_pending;  // on the list of those that met a full transmit ring
};

}  // namespace grin
