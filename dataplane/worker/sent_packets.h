// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Buffers whose bytes were copied into guests' rings, to be freed together. Nearly always they are of one pool and
// nobody else holds them, so that they go back as they are; this is asked while their lengths are added up, when they
// are at hand. That is half the price of rte_pktmbuf_free_bulk().
#pragma once

#include <array>
#include <cstdint>

struct rte_mbuf;
struct rte_mempool;

namespace cheshire {

class SentPackets {
 public:
  static constexpr uint32_t kCapacity = 256;

  // Keeps `count` packets, at most kCapacity. Returns how many bytes they are. In line, in sent_packets_inline.h.
  uint64_t add(rte_mbuf* const* packets, uint32_t count);
  void free();

 private:
  rte_mempool* pool_ = nullptr;  // whose they are expected to be: that of those before
  uintptr_t strange_ = 0;        // bits that are set where one is of another pool, held twice, or in pieces
  uint64_t flags_ = 0;           // those of all of them
  uint32_t count_ = 0;
  std::array<rte_mbuf*, kCapacity> packets_;
};

}  // namespace cheshire
