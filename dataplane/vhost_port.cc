// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/vhost_port.h"

#include <rte_vhost.h>

namespace cheshire {
namespace {

// virtio 1.1 5.1.2: receiveq1 and transmitq1, named from the guest's side.
constexpr uint16_t kGuestReceiveQueue = 0;
constexpr uint16_t kGuestTransmitQueue = 1;

}  // namespace

uint16_t VhostPort::to_guest(rte_mbuf** packets, uint16_t count) {
  return rte_vhost_enqueue_burst(vid_, kGuestReceiveQueue, packets, count);
}

uint16_t VhostPort::from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) {
  return rte_vhost_dequeue_burst(vid_, kGuestTransmitQueue, pool, packets, count);
}

}  // namespace cheshire
