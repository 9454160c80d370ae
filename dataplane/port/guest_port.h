// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The data plane's end of one instance's network device. The real one is a vhost-user port (vhost_port.h);
// tests and benchmarks put something in memory in its place.
//
// Called by the worker that polls it, by nobody else.
#pragma once

#include <cstdint>

struct rte_mbuf;
struct rte_mempool;

namespace cheshire {

// What lies in a guest's receive ring.
struct Backlog {
  uint32_t packets = 0;   // delivered, and not consumed as far as can be seen
  uint64_t consumed = 0;  // cumulative; stands still while the guest does
  uint64_t age_ns = 0;    // of the oldest of `packets`
};

class GuestPort {
 public:
  GuestPort() = default;
  GuestPort(const GuestPort&) = delete;
  GuestPort& operator=(const GuestPort&) = delete;
  virtual ~GuestPort() = default;

  // Copies the packets into the guest's buffers, the first of them first; returns how many found room.
  // The packets stay the caller's.
  [[nodiscard]] virtual uint16_t to_guest(rte_mbuf** packets, uint16_t count) = 0;
  // Takes up to `count` packets of the guest, copied into buffers from `pool`, which become the caller's.
  [[nodiscard]] virtual uint16_t from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) = 0;
  // Once per publication interval, not per packet.
  [[nodiscard]] virtual Backlog backlog() { return {}; }
};

// What the thread that watches the ports tells the worker.
struct PortMessage {
  enum class Kind : uint8_t {
    kUp,    // `port` may be polled from now on
    kDown,  // `port` must not be touched any more; the sender waits for Worker::downs_acknowledged()
  };
  Kind kind = Kind::kDown;
  uint16_t slot = 0;
  GuestPort* port = nullptr;
  // With kUp, monotonic: when the VM connected, when its rings came up, and the time spent in between in the
  // handler of its vhost-user messages.
  uint64_t connected_ns = 0;
  uint64_t ring_up_ns = 0;
  uint64_t messages_ns = 0;
};

}  // namespace cheshire
