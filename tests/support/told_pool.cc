// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/support/told_pool.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "check.h"
#include "dataplane/port/thread_sanitizer.h"

namespace cheshire::test {
namespace {

constexpr char kTold[] = "told";
constexpr std::string_view kLibrarys = "ring_mp_mc";

const rte_mempool_ops& librarys() {
  const rte_mempool_ops* all = rte_mempool_ops_table.ops;
  const auto* end = all + rte_mempool_ops_table.num_ops;
  const auto* found =
      std::find_if(all, end, [](const rte_mempool_ops& ops) { return ops.name == kLibrarys; });
  CHECK(found != end);
  return *found;
}

int take_back(rte_mempool* pool, void* const* buffers, unsigned count) {
  for (unsigned i = 0; i < count; ++i) give_away(buffers[i]);
  return librarys().enqueue(pool, buffers, count);
}

int give_out(rte_mempool* pool, void** buffers, unsigned count) {
  const int code = librarys().dequeue(pool, buffers, count);
  if (code != 0) return code;
  for (unsigned i = 0; i < count; ++i) take_over(buffers[i]);
  return 0;
}

void register_once() {
  static const int registered = [] {
    rte_mempool_ops ops = librarys();
    static_assert(sizeof(kTold) <= sizeof(ops.name));
    std::copy(std::begin(kTold), std::end(kTold), ops.name);
    ops.enqueue = take_back;
    ops.dequeue = give_out;
    return rte_mempool_register_ops(&ops);
  }();
  CHECK(registered >= 0);
}

}  // namespace

rte_mempool* make_told_pool(const char* name, unsigned packets, unsigned cache) {
  register_once();
  return rte_pktmbuf_pool_create_by_ops(name, packets, cache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY,
                                        kTold);
}

}  // namespace cheshire::test
