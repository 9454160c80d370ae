// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Buffers whose bytes were copied into guests' rings, to be freed together. Nearly always they are of one pool and
// nobody else holds them, so that they go back as they are; this is asked while their lengths are added up, when they
// are at hand. That is half the price of rte_pktmbuf_free_bulk().
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cheshire {

class SentPackets {
 public:
  static constexpr uint32_t kCapacity = 256;

  // Keeps `count` packets, at most kCapacity. Returns how many bytes they are.
  [[gnu::always_inline]] uint64_t add(rte_mbuf* const* packets, uint32_t count) {
    if (count_ + count > kCapacity) [[unlikely]]
      free();
    const auto pool = reinterpret_cast<uintptr_t>(pool_);
    uintptr_t strange = strange_;
    uint64_t flags = flags_;
    uint64_t bytes = 0;
    rte_mbuf** kept = &packets_[count_];
    for (rte_mbuf* const* const end = packets + count; packets != end; ++packets) {
      rte_mbuf* packet = *packets;
      *kept++ = packet;
      bytes += packet->pkt_len;
      strange |= reinterpret_cast<uintptr_t>(packet->pool) ^ pool;
      strange |= holders_and_pieces(packet) ^ kOneHolderOnePiece;
      flags |= packet->ol_flags;
    }
    strange_ = strange;
    flags_ = flags;
    count_ += count;
    return bytes;
  }
  void free() {
    if (count_ == 0) return;
    if (strange_ == 0 && (flags_ & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) == 0) [[likely]] {
      rte_mempool_put_bulk(pool_, reinterpret_cast<void**>(packets_.data()), count_);
    } else {
      pool_ = packets_[count_ - 1]->pool;
      rte_pktmbuf_free_bulk(packets_.data(), count_);
    }
    count_ = 0;
    strange_ = 0;
    flags_ = 0;
  }

 private:
  // The count of references and the number of pieces, as one number: they lie side by side.
  static constexpr uint32_t kOneHolderOnePiece = 0x00010001;
  static uint32_t holders_and_pieces(const rte_mbuf* packet) {
    static_assert(offsetof(rte_mbuf, nb_segs) == offsetof(rte_mbuf, refcnt) + 2);
    uint32_t both;
    std::memcpy(&both, &packet->refcnt, sizeof(both));
    return both;
  }

  rte_mempool* pool_ = nullptr;  // whose they are expected to be: that of those before
  uintptr_t strange_ = 0;        // bits that are set where one is of another pool, held twice, or in pieces
  uint64_t flags_ = 0;           // those of all of them
  uint32_t count_ = 0;
  std::array<rte_mbuf*, kCapacity> packets_;
};

}  // namespace cheshire
