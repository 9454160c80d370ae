// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What SentPackets does, in line: for the few files that call it for each packet.
#pragma once

#include <rte_mbuf.h>

#include <cstddef>
#include <cstring>

#include "dataplane/worker/sent_packets.h"

namespace cheshire {
namespace sent_packets {

// The count of references and the number of pieces, as one number: they lie side by side.
inline constexpr uint32_t kOneHolderOnePiece = 0x00010001;
inline uint32_t holders_and_pieces(const rte_mbuf* packet) {
  static_assert(offsetof(rte_mbuf, nb_segs) == offsetof(rte_mbuf, refcnt) + 2);
  uint32_t both;
  std::memcpy(&both, &packet->refcnt, sizeof(both));
  return both;
}

}  // namespace sent_packets

[[gnu::always_inline]] inline uint64_t SentPackets::add(rte_mbuf* const* packets, uint32_t count) {
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
    strange |= sent_packets::holders_and_pieces(packet) ^ sent_packets::kOneHolderOnePiece;
    flags |= packet->ol_flags;
  }
  strange_ = strange;
  flags_ = flags;
  count_ += count;
  return bytes;
}
inline void SentPackets::free() {
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

}  // namespace cheshire
