// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Packet pools whose buffers change hands under a mutex of ours. The library's own do by a ring inside of the library,
// which the thread sanitizer does not see: it would take a buffer that is used again for a race.
#pragma once

#include <cstdint>

struct rte_mempool;

namespace cheshire::test {

// Like rte_pktmbuf_pool_create(); nullptr if there is no memory. After EAL, one thread.
[[nodiscard]] rte_mempool* make_locked_pool(const char* name, unsigned packets, unsigned cache);

}  // namespace cheshire::test
