// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The least data plane that can tell when a guest answers: our vhost-user server, and a polling thread that
// on request sends one SYN into an instance and notes when its SYN-ACK comes back.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "counter.h"
#include "dataplane/port/eal.h"
#include "dataplane/port/guest_port.h"
#include "dataplane/port/vhost_server.h"
#include "ids.h"
#include "result.h"
#include "spsc_ring.h"

namespace cheshire {

class BootBenchDataPlane {
 public:
  // Starts EAL: once per process. `nap_ns`: the polling thread's longest sleep, 0: it spins.
  [[nodiscard]] static Result<std::unique_ptr<BootBenchDataPlane>> start(const std::string& directory,
                                                                         size_t slots, uint32_t cpu,
                                                                         uint64_t nap_ns);
  ~BootBenchDataPlane();

  [[nodiscard]] std::string socket_path(SlotIndex slot) const { return vhost_->socket_path(slot); }
  [[nodiscard]] bool connected(SlotIndex slot) const { return vhost_->connected(slot); }

  // A SYN from a port that was not used before; it is sent as soon as the instance's rings are up. main
  // thread
  void ask(SlotIndex slot);
  // When the SYN-ACK to the last ask() was seen, monotonic; nullopt: not yet.
  [[nodiscard]] std::optional<uint64_t> answered_ns(SlotIndex slot) const;
  // When the rings came up and how long the library's thread worked on this VM's messages before.
  struct RingsUp {
    uint64_t up_ns = 0;
    uint64_t messages_ns = 0;
  };
  [[nodiscard]] RingsUp rings_up(SlotIndex slot) const;
  // CPU time of the polling thread, which spins whatever happens.
  [[nodiscard]] uint64_t poller_cpu_ns() const;

 private:
  struct Slot {
    GuestPort* port = nullptr;    // poller
    uint64_t sent = 0;            // poller: the number of the SYN that was sent last
    uint64_t sent_ns = 0;         // poller
    RingsUp rings;                // poller, before `answered`
    uint64_t answered_at_ns = 0;  // poller, before `answered`
    Counter asked;                // writer: main; reader: poller
    Counter answered;             // writer: poller; reader: main
  };

  BootBenchDataPlane(Eal eal, rte_mempool* pool, size_t slots, uint64_t nap_ns);
  void poll_until_stopped();
  void take_port_messages();
  bool poll(Slot& slot);
  void send(Slot& slot, uint64_t number, uint8_t flags);

  Eal eal_;
  rte_mempool* const pool_;
  const uint64_t nap_ns_;
  std::vector<Slot> slots_;
  SpscRing<PortMessage> port_messages_;
  Counter downs_;         // writer: poller; reader: the library's thread
  Counter poller_clock_;  // writer: poller, once: the id of its CPU clock
  Counter stop_;          // writer: main; reader: poller
  std::unique_ptr<VhostServer> vhost_;
};

}  // namespace cheshire
