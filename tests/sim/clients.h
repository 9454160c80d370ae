// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The clients: hosts with an honest, small TCP each, and some who are not honest: they vanish, hang up, take a port
// again before its last connection is forgotten, or flood. Every frame that comes to a client is checked: it was sent
// to that client, it is whole, and within one connection one instance speaks. Every connection ends in an answer, a
// refusal, or with an excuse that was counted.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "config.h"
#include "tests/sim/scene.h"
#include "tests/sim/wire.h"

namespace cheshire::sim {

struct ClientLinks {
  std::function<const Config&()> config;  // that runs now: whom they may call
  std::function<uint64_t()>
      silences;  // how many packets were dropped, so far, for reasons that leave no answer
};

class PlayedClients {
 public:
  PlayedClients(Scene& scene, Wire& wire, ClientLinks links);

  void act();
  [[nodiscard]] uint64_t due_ns() const;
  // SYNs of nobody, or segments of no connection, at once. Returns which worker's queue they come to.
  size_t storm();
  [[nodiscard]] size_t open() const { return open_.size(); }
  // Connections with that VIP that are open, or ended so lately that not everybody may know.
  [[nodiscard]] uint64_t known(uint32_t vip, uint64_t lately_ns) const;
  // Connections in which both ends are at peace, by instance: what its in_flight may not fall short of.
  [[nodiscard]] std::map<uint32_t, uint32_t> settled() const;

 private:
  enum class Step : uint8_t { kSynSent, kOpen, kFinSent };
  enum class Outcome : uint8_t { kServed, kResetAtSyn, kTold503, kResetLater, kGaveUp, kVanished, kHungUp };
  struct Host {
    uint32_t ip;
    MacAddress mac;
    std::optional<uint16_t> vlan_tci;
    uint16_t next_port = 20'000;
  };
  using Key = std::tuple<uint32_t, uint16_t, uint32_t, uint16_t>;  // client, VIP
  struct Connection {
    Attempt* attempt;
    const Host* host;
    Step step = Step::kSynSent;
    uint32_t next_out = 0;  // of ours, not yet sent
    uint32_t acknowledged = 0;
    uint32_t next_in = 0;
    uint32_t first_in = 0;  // the other end's initial number
    bool by_cookie = false;
    bool asks = false;  // a request waits for its answer
    uint32_t requests_left = 0;
    uint32_t answers = 0;
    uint64_t due_ns = 0;  // the next thing it does
    unsigned tries = 0;
    uint64_t leaves_ns = 0;  // vanishes or hangs up then; 0: stays
    bool hangs_up = false;
    uint64_t excuses_before = 0;
    Bytes newest;
  };

  void arrive();
  void begin(const Host& host, uint16_t port, const ServiceConfig& service);
  void take(const Bytes& frame);
  void check(const Segment& segment) const;
  [[nodiscard]] bool get(Connection& connection, const Segment& segment);  // false: it is over
  [[nodiscard]] bool answer_of_handshake(Connection& connection, const Segment& segment);
  [[nodiscard]] bool is_due(Connection& connection);  // likewise
  void ask(Connection& connection);
  void send(Connection& connection, uint8_t flags, uint32_t sequence, uint32_t acknowledgment,
            std::string_view payload, bool keep);
  void send_bare(const Segment& to, uint8_t flags, uint32_t sequence, uint32_t acknowledgment);
  [[nodiscard]] bool end(Connection& connection, Outcome outcome);
  [[nodiscard]] uint64_t excuses(const Connection& connection) const;
  [[nodiscard]] const Host* host_of(uint32_t ip) const;

  Scene& scene_;
  Wire& wire_;
  const ClientLinks links_;
  std::vector<Host> hosts_;
  std::map<Key, Connection> open_;
  uint64_t soonest_ns_ = UINT64_MAX;  // before which no connection has anything to do
  uint64_t next_arrival_ns_ = 0;
  uint64_t mood_until_ns_ = 0;
  uint64_t gap_ns_ = 0;  // in the present mood; 0: nobody comes
  std::optional<Key> last_closed_;
  std::deque<std::pair<uint64_t, uint32_t>> ended_;  // the newest: when, and whose VIP
};

}  // namespace cheshire::sim
