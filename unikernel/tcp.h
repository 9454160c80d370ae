// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// TCP for a server: passive open only, one local port, in-order receive (RFC 9293, 5681, 5961, 6298, 6582).
//
// Terms. The application sees a connection as two streams. What it receives it gets as pieces of packets
// and may leave: then the rest is kept, up to kReceiveBufferBytes, and offered again after resume(). What
// it sends it does not hand over: it promises a number of bytes with extend() and makes any piece of them
// when asked by fill(), as often as asked, until on_acked(). So there is no send buffer.
//
// Walked example, `GET /` and keep-alive: SYN makes an entry and SYN-ACK goes out. Its ACK calls on_open().
// A data segment calls on_data(), in which the application calls extend(id, 190); when it returns, output()
// asks fill(id, 0, 190 bytes) right into a transmit buffer, and that segment carries the ACK. The peer's
// next segment acknowledges: on_acked(id, 190).
//
// Callbacks may call extend() and close(), and nothing else. Outside of callbacks follow these with push().
// begin_turn() sets the time for all that follows. One thread. All tables are taken from the arena at
// init().
//
// Left out: timestamps, window scaling, SACK and out-of-order queues; urgent data is plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/connection_table.h"
#include "unikernel/counters.h"
#include "unikernel/frame_port.h"
#include "unikernel/memory.h"
#include "unikernel/tcp_connection.h"
#include "unikernel/tcp_segment.h"
#include "unikernel/timer_wheel.h"

namespace cheshire::grin {

inline constexpr size_t kConnectionsMax = 16383;
inline constexpr uint64_t kTimeoutMinUs = 200'000;
inline constexpr uint64_t kFirstTimeoutUs = 1'000'000;
inline constexpr uint64_t kTimeoutMaxUs = 60'000'000;
inline constexpr uint64_t kTimeWaitUs = 1'000'000;  // short: see reopen() in tcp_input.cc
inline constexpr uint64_t kFinWait2Us = 5'000'000;
inline constexpr uint64_t kIdleUs = 60'000'000;
inline constexpr uint8_t kSynRetriesMax = 4;        // about 31 s
inline constexpr uint8_t kRetriesMax = 8;           // 100 s and more
inline constexpr uint32_t kChallengeAcksMax = 100;  // per second, RFC 5961 7

class StreamHandler {
 public:
  virtual void on_open(ConnectionId id) = 0;
  // Returns how many bytes it took. The rest comes again, with more behind it, after resume().
  [[nodiscard]] virtual size_t on_data(ConnectionId id, std::span<const std::byte> data) = 0;
  // Everything that the peer sent has been taken, and no more will come.
  virtual void on_peer_closed(ConnectionId id) = 0;
  // The first offset_bytes of the sent stream (modulo 2^32) will not be asked for again.
  virtual void on_acked(ConnectionId id, uint32_t offset_bytes) = 0;
  // May an idle connection be closed?
  [[nodiscard]] virtual bool on_idle(ConnectionId id) = 0;
  // The connection is gone, in whatever way. The id may come back with on_open().
  virtual void on_gone(ConnectionId id) = 0;
  virtual void fill(ConnectionId id, uint32_t offset_bytes, std::span<std::byte> out) = 0;

 protected:
  ~StreamHandler() = default;
};

class Tcp {
 public:
  struct Options {
    FramePort* frames;
    StreamHandler* application;
    Counters* counters;
    MacAddress mac;
    uint32_t ip;
    uint16_t port;
    uint16_t max_segment_bytes;  // MTU less 40
    uint64_t listen_from_us;     // before, a SYN is answered with RST
    uint64_t secret;
  };
  // What each connection takes of the arena at most, less what the application adds.
  static constexpr size_t kBytesPerConnection = sizeof(Connection) + kReceiveBufferBytes +
                                                2 * sizeof(IndexLink) + sizeof(TimerWheel::Entry) +
                                                4 * sizeof(Index);

  // Room for `capacity` connections, up to kConnectionsMax. False if the arena is too small.
  [[nodiscard]] bool init(const Options& options, Arena& arena, size_t capacity);

  void begin_turn(uint64_t now_us) { now_us_ = now_us; }
  void input(const Segment& segment);
  void run_timers();
  // Goes on with connections that met a full transmit ring.
  void run_pending();
  [[nodiscard]] bool has_pending() const { return !pending_.empty(); }
  [[nodiscard]] uint64_t next_deadline_us() const;

  // The application calls these, from where the header's first lines allow it.
  void extend(ConnectionId id, uint32_t size_bytes) { connections_[id].send_end += size_bytes; }
  void close(ConnectionId id) { connections_[id].fin.queued = true; }
  void resume(ConnectionId id);  // offers what is buffered; not from within a callback
  void push(ConnectionId id);    // sends what was promised; not from within a callback

  [[nodiscard]] size_t open_count() const { return connections_.used_count() - time_wait_count_; }
  [[nodiscard]] size_t time_wait_count() const { return time_wait_count_; }
  [[nodiscard]] size_t capacity() const { return connections_.capacity(); }

 private:
  using Bytes = std::span<const std::byte>;

  // tcp.cc: the end of a connection, and timers
  void free(ConnectionId id);
  void detach(ConnectionId id);
  void enter_time_wait(ConnectionId id);
  void update_timer(ConnectionId id, bool restart);
  void on_timeout(ConnectionId id);
  void on_retransmit_timeout(ConnectionId id);

  // tcp_input.cc
  void input_closed(const Segment& segment, uint32_t first_sequence);
  void open(const Segment& segment, uint32_t first_sequence);
  void input_open(ConnectionId id, Segment segment);
  [[nodiscard]] bool accept_sequence(ConnectionId id, const Segment& segment);
  [[nodiscard]] bool accept_ack(ConnectionId id, const Segment& segment);
  void establish(ConnectionId id, const Segment& segment);
  void process_data(ConnectionId id, Bytes payload);
  void process_fin(ConnectionId id);
  void offer_buffered(ConnectionId id);
  void report_fin(ConnectionId id);
  void challenge(Connection& c);

  // tcp_ack.cc
  [[nodiscard]] bool process_ack(ConnectionId id, const Segment& segment);
  void on_new_ack(ConnectionId id, uint32_t acked_bytes, uint32_t ack);
  void on_duplicate_ack(ConnectionId id);

  // tcp_output.cc
  void output(ConnectionId id);
  [[nodiscard]] bool output_segment(ConnectionId id);
  [[nodiscard]] bool emit(ConnectionId id, uint32_t sequence, uint32_t size_bytes, bool fin);
  void emit_syn_ack(ConnectionId id);
  void retransmit_head(ConnectionId id);
  void send_reset(const Segment& segment);

  Options options_ = {};
  uint64_t now_us_ = 0;
  uint64_t challenge_second_ = 0;
  uint32_t challenge_count_ = 0;
  size_t time_wait_count_ = 0;
  IndexList time_wait_;  // in order of their end; shares links with the wheel
  IndexList pending_;
  TimerWheel wheel_;
  ConnectionTable connections_;
  std::span<IndexLink> links_;
  std::span<IndexLink> pending_links_;
  std::span<std::byte> receive_memory_;
};

}  // namespace cheshire::grin
