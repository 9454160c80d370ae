// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/port/vhost_port.h"

#include <rte_cycles.h>
#include <rte_vhost.h>

#include <algorithm>

#include "units.h"

namespace cheshire {
namespace {

// virtio 1.1 5.1.2: receiveq1 and transmitq1, named from the guest's side.
constexpr uint16_t kGuestReceiveQueue = 0;
constexpr uint16_t kGuestTransmitQueue = 1;

// A ring of 1,024 buffers whose guest takes 40,000 packets a second holds 25 ms: 256 marks cover it.
constexpr uint64_t kMarksPerSecond = 10'000;
constexpr uint64_t kForgottenAfterSeconds = 1;
constexpr uint16_t kRingSizeMax = 1024;

// What the library moves in one call at the most (MAX_PKT_BURST); of more it takes the first of them, which looks like
// a ring that is full, or empty.
constexpr uint16_t kVhostBurst = 32;

// Calls move(first, count) until it moves less than it could. Returns the sum.
template <typename Move>
uint16_t in_bursts(uint16_t count, Move&& move) {
  uint16_t done = 0;
  while (done < count) {
    const auto burst = std::min(kVhostBurst, static_cast<uint16_t>(count - done));
    const uint16_t moved = move(done, burst);
    done = static_cast<uint16_t>(done + moved);
    if (moved < burst) break;
  }
  return done;
}

}  // namespace

VhostPort::VhostPort() : times_(rte_get_tsc_hz() / kMarksPerSecond) {}

uint16_t VhostPort::to_guest(rte_mbuf** packets, uint16_t count) {
  const uint16_t sent = in_bursts(count, [&](uint16_t from, uint16_t burst) {
    return rte_vhost_enqueue_burst(vid_, kGuestReceiveQueue, packets + from, burst);
  });
  if (sent != 0) times_.delivered(sent, rte_rdtsc());
  return sent;
}

uint16_t VhostPort::from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) {
  return in_bursts(count, [&](uint16_t from, uint16_t burst) {
    return rte_vhost_dequeue_burst(vid_, kGuestTransmitQueue, pool, packets + from, burst);
  });
}

Backlog VhostPort::backlog() {
  // What the guest says; a hostile one says anything.
  const uint16_t posted = std::min(rte_vhost_avail_entries(vid_, kGuestReceiveQueue), kRingSizeMax);
  buffers_ = std::max(buffers_, posted);
  const uint64_t missing = std::min<uint64_t>(buffers_ - posted, times_.total());
  Backlog backlog{.packets = static_cast<uint32_t>(missing), .consumed = times_.total() - missing};
  if (missing == 0) return backlog;
  const uint64_t now = rte_rdtsc();
  const uint64_t hz = rte_get_tsc_hz();
  if (now - times_.newest_time() > kForgottenAfterSeconds * hz) return {.consumed = times_.total()};
  const uint64_t age = now - times_.time_of(backlog.consumed);
  backlog.age_ns = static_cast<uint64_t>(static_cast<double>(age) * 1e9 / static_cast<double>(hz));
  return backlog;
}

}  // namespace cheshire
