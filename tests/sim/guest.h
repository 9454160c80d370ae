// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One guest in memory: a ring of packets in each direction, a small honest TCP server behind them, and all that can
// become of such a guest. It checks every packet that it is given: it is for this service, it is whole, and it belongs
// to a connection that is this instance's.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "config.h"
#include "dataplane/port/guest_port.h"
#include "tests/sim/scene.h"

namespace cheshire::sim {

class PlayedGuest final : public GuestPort {
 public:
  enum class Health : uint8_t { kGood, kSlow, kSilent, kStuck, kMad };

  PlayedGuest(Scene& scene, Individual& self, const ServiceConfig& service);

  [[nodiscard]] uint16_t to_guest(rte_mbuf** packets, uint16_t count) override;
  [[nodiscard]] uint16_t from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) override;
  [[nodiscard]] Backlog backlog() override;

  // Its vCPU, in the order of its life. listens_after_ns: from its first run on.
  void run(uint64_t listens_after_ns);
  void pause() { runs_ = false; }
  void becomes(Health health);
  // The worker has said that it left the port: to touch it again is the end.
  void close() { closed_ = true; }
  void open() { closed_ = false; }

  // What it does in this moment.
  void act();
  // When it has something to do next; UINT64_MAX: when it is given something.
  [[nodiscard]] uint64_t due_ns() const;
  [[nodiscard]] bool is_busy() const { return runs_ && (!incoming_.empty() || !outgoing_.empty()); }
  [[nodiscard]] const Individual& self() const { return self_; }
  [[nodiscard]] size_t packets_given() const { return given_; }
  [[nodiscard]] size_t packets_sent() const { return sent_; }

 private:
  using Peer = std::pair<uint32_t, uint16_t>;  // address, port
  struct Connection {
    uint32_t serial = 0;  // 0: no client of the book
    uint32_t first = 0;   // its own initial sequence number
    uint32_t next_in = 0;
    uint32_t next_out = 0;
    uint32_t acknowledged = 0;
    bool open = false;
    bool fin_in = false;
    bool fin_out = false;
    uint32_t answers_sent = 0;
    uint64_t answer_at_ns = 0;  // a request is worked on; 0: none is
    uint64_t again_at_ns = 0;   // what is not acknowledged goes once more; 0: all is
    unsigned tries = 0;
    Bytes newest;  // the frame that goes once more
  };
  struct Packet {
    Bytes frame;
    uint64_t came_ns = 0;
  };

  void take(const Bytes& frame);
  void check(const Segment& segment, const Attempt* attempt) const;
  void handshake(const Segment& segment, uint32_t serial);
  void segment_of(Connection& connection, const Peer& peer, const Segment& segment);
  void answer(const Peer& peer, Connection& connection);
  void repeat(const Peer& peer, Connection& connection);
  void invent();
  void send(const Peer& peer, const Connection* connection, uint8_t flags, uint32_t sequence,
            uint32_t acknowledgment, const std::string& payload = {}, Connection* keep = nullptr);
  [[nodiscard]] bool listens() const { return runs_ && scene_.now_ns() >= listens_ns_; }
  void put(Bytes frame);

  Scene& scene_;
  Individual& self_;
  const be32 ip_;
  const be16 port_;
  const uint32_t gateway_;
  const size_t ring_max_;
  uint64_t service_max_ns_;
  const bool resets_before_it_listens_;
  bool started_ = false;
  bool runs_ = false;
  bool closed_ = false;
  Health health_ = Health::kGood;
  uint64_t listens_ns_ = 0;
  uint64_t next_invention_ns_ = 0;
  uint64_t soonest_ns_ = UINT64_MAX;  // before which no connection has anything to do
  std::deque<Packet> incoming_;
  std::deque<Bytes> outgoing_;
  std::map<Peer, Connection> connections_;
  std::set<uint32_t> syns_;  // serial numbers of connections whose SYN it was given
  uint64_t consumed_ = 0;
  size_t given_ = 0;
  size_t sent_ = 0;
};

}  // namespace cheshire::sim
