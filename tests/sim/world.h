// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One world: the real workers and the real control loop, joined by the real load board, rings and steering table, and
// the players around them, under one clock. Everything happens on one thread, in an order that the seed decides.
#pragma once

#include <memory>
#include <vector>

#include "controlplane/control_loop.h"
#include "controlplane/trace/trace_reader.h"
#include "dataplane/worker/worker_group.h"
#include "tests/sim/clients.h"
#include "tests/sim/host.h"
#include "tests/sim/operator.h"
#include "tests/sim/scene.h"
#include "tests/sim/wire.h"

namespace cheshire::sim {

class World {
 public:
  World(uint64_t seed, bool tells, Coverage& coverage);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Its whole life: load, rest, end. Returns the hash of its event log.
  uint64_t run();
  [[nodiscard]] uint64_t now_ns() const { return scene_.now_ns(); }
  [[nodiscard]] std::string describe() const;

 private:
  static constexpr uint64_t kBeginNs = kNsPerSecond;

  void step();
  [[nodiscard]] uint64_t next_moment() const;
  void workers_act();
  void control_acts();
  void trouble();
  void storm();
  void worker_is_late(size_t number, uint64_t ms);
  void comes_to_rest();
  void shuts_down();
  [[nodiscard]] bool is_at_rest() const;

  // world_checks.cc: what has to hold, after each turn, after each round, at rest, at the end
  void check_sum(const WorkerLoad& load, bool ended = false) const;
  void check_held();
  void check_instances();
  void check_draining();
  void check_table() const;
  void check_levels() const;
  void check_settled() const;
  void follow_decisions();
  void check_replay() const;
  void check_end() const;
  void count_coverage() const;
  [[nodiscard]] uint64_t silences() const;
  [[nodiscard]] std::string service_words(uint16_t index) const;
  [[nodiscard]] std::string unrest() const;

  Scene scene_;
  const Config& config_;
  LoadBoard board_;
  Published<SteeringTable> steering_;
  StatusBoard status_;
  DecisionTrace trace_;
  PlayedHost host_;
  std::unique_ptr<WorkerGroup> workers_;
  std::unique_ptr<ControlLoop> control_;
  Wire wire_;
  PlayedClients clients_;
  PlayedOperator operator_;

  bool workers_busy_ = false;
  std::vector<uint64_t> worker_late_until_ns_;
  uint64_t control_next_ns_ = 0;
  uint64_t next_trouble_ns_ = 0;
  uint64_t pool_empty_until_ns_ = 0;
  std::unique_ptr<test::Dpdk::NoPackets> no_packets_;
  bool ending_ = false;

  struct Followed {  // of an instance, round by round
    InstanceState state = InstanceState::kAbsent;
    Generation generation;
    bool retiring = false;
    uint64_t drains_since_table = 0;  // it drains, and every worker knows; 0: not so
    uint64_t flows_opened = 0;        // then
  };
  std::vector<Followed> followed_;
  struct Overdue {  // of a service: whose oldest SYN has waited too long
    uint64_t since_ns = 0;
    uint64_t turns = 0;
  };
  std::vector<Overdue> overdue_;
  Trace decisions_;
  uint64_t decisions_seen_ = 0;
  uint64_t rounds_since_command_ = 1000;
};

}  // namespace cheshire::sim
