// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/flow_marks.h"

#include <rte_mbuf.h>

namespace cheshire {
namespace {

uint32_t mark_on(const rte_mbuf* packet) {
  return (packet->ol_flags & RTE_MBUF_F_RX_FDIR_ID) != 0 ? packet->hash.fdir.hi : kNoMark;
}

}  // namespace

void compare_marks(const PacketBurst& burst, FlowMarkBoard& board, size_t worker) {
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (burst.steps[i] == Step::kForeign) continue;
    const uint32_t mark = mark_on(burst.packets[i]);
    if (is_segment(burst.steps[i])) {
      const ServiceIndex service = burst.keys[i].service;
      FlowMarkLoad& load = board.by_service[service.value];
      load.seen.increment();
      if (mark == mark_of(service)) {
        load.marked.increment();
        continue;
      }
    }
    if (mark != kNoMark && burst.steps[i] != Step::kDrop) board.by_worker[worker].wrong.increment();
  }
}

void count_watched(const PacketBurst& burst, const PinOrders& orders, Counter& count) {
  const uint64_t watched = orders.watched.get();
  if (watched == 0) [[likely]]
    return;
  uint64_t packets = 0;
  for (uint16_t i = 0; i < burst.count; ++i) {
    packets += is_segment(burst.steps[i]) && burst.keys[i].as_integer() == watched ? 1U : 0U;
  }
  count.add(packets);
}

}  // namespace cheshire
