// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/packets/locked_pool.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <mutex>
#include <vector>

#include "check.h"

namespace cheshire::test {
namespace {

struct Buffers {
  std::mutex mutex;
  std::vector<void*> free;
};

Buffers& buffers_of(const rte_mempool* pool) {
  return *static_cast<Buffers*>(pool->pool_data);
}

int make(rte_mempool* pool) {
  auto* buffers = new Buffers();
  buffers->free.reserve(pool->size);
  pool->pool_data = buffers;
  return 0;
}
void end(rte_mempool* pool) {
  delete &buffers_of(pool);
}
int put(rte_mempool* pool, void* const* buffers, unsigned count) {
  Buffers& all = buffers_of(pool);
  const std::lock_guard lock(all.mutex);
  all.free.insert(all.free.end(), buffers, buffers + count);
  return 0;
}
int get(rte_mempool* pool, void** buffers, unsigned count) {
  Buffers& all = buffers_of(pool);
  const std::lock_guard lock(all.mutex);
  if (all.free.size() < count) return -ENOBUFS;
  for (unsigned i = 0; i < count; ++i, all.free.pop_back()) buffers[i] = all.free.back();
  return 0;
}
unsigned count(const rte_mempool* pool) {
  Buffers& all = buffers_of(pool);
  const std::lock_guard lock(all.mutex);
  return static_cast<unsigned>(all.free.size());
}

constexpr char kName[] = "locked";

void register_once() {
  static const int registered = [] {
    rte_mempool_ops ops{};
    static_assert(sizeof(kName) <= sizeof(ops.name));
    std::copy(std::begin(kName), std::end(kName), ops.name);
    ops.alloc = make;
    ops.free = end;
    ops.enqueue = put;
    ops.dequeue = get;
    ops.get_count = count;
    return rte_mempool_register_ops(&ops);
  }();
  CHECK(registered >= 0);
}

}  // namespace

rte_mempool* make_locked_pool(const char* name, unsigned packets, unsigned cache) {
  register_once();
  return rte_pktmbuf_pool_create_by_ops(name, packets, cache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY,
                                        kName);
}

}  // namespace cheshire::test
