// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A packet pool like any other, that tells the thread sanitizer of each buffer which it takes back and gives out anew.
// The sanitizer does not see into the library's ring of free buffers: it would take a buffer's next use for a race. Told
// of single buffers, and not by a mutex, it orders nothing else by them, so no race of ours hides behind the pool.
#pragma once

struct rte_mempool;

namespace cheshire::test {

// Like rte_pktmbuf_pool_create(); nullptr if there is no memory. After EAL, one thread.
[[nodiscard]] rte_mempool* make_told_pool(const char* name, unsigned packets, unsigned cache);

}  // namespace cheshire::test
