// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The few things that are done to a packet buffer as such, in one place. Packets of one segment only.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace cheshire {

inline uint8_t* bytes_of(rte_mbuf* packet) {
  return rte_pktmbuf_mtod(packet, uint8_t*);
}

inline void set_length(rte_mbuf* packet, uint16_t length) {
  packet->data_len = length;
  packet->pkt_len = length;
}

}  // namespace cheshire
