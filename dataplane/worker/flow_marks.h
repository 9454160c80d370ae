// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the NIC's marks are to a worker: something to compare. The software table finds each packet's service, marked
// or not; one probe of it costs what a check of the mark would. So a lying NIC misleads nobody, and is found out.
#pragma once

#include "dataplane/worker/packet_burst.h"
#include "flow_mark_board.h"

namespace cheshire {

// After read_from_clients(); of foreign services, after they were handed over. That worker only.
void compare_marks(const PacketBurst& burst, FlowMarkBoard& board, size_t worker);

// Counts the packets of the flow that the offload manager watches (flow_mark_board.h) into `count`, of that worker's
// row. While none is watched it costs a look per burst.
void count_watched(const PacketBurst& burst, const PinOrders& orders, Counter& count);

}  // namespace cheshire
