// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the pieces of the data plane cost by themselves, without DPDK: parsing a frame, looking a flow up,
// rewriting addresses. For the whole path see the demo and scripts/measure.py.
//
//   build/bench/logic_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "dataplane/flow/flow_table.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/rewrite.h"
#include "tests/support/frame_builder.h"

namespace cheshire {
namespace {

void parse_tcp(benchmark::State& state) {
  test::TcpFrame fields;
  fields.payload.resize(static_cast<size_t>(state.range(0)));
  const test::Bytes frame = test::build(fields);
  const bool checked_by_nic = state.range(1) != 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_frame(frame, {.ipv4 = checked_by_nic, .l4 = checked_by_nic}));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(parse_tcp)->ArgNames({"payload", "checked_by_nic"})->ArgsProduct({{0, 1400}, {0, 1}});

// Random hits: each look-up waits for its own cache lines, as nothing is prefetched here.
void find_flow(benchmark::State& state) {
  const auto flows = static_cast<size_t>(state.range(0));
  FlowTable table(flows, HashKey{1, 2});
  std::vector<FlowKey> keys;
  for (uint32_t i = 0; i < flows; ++i) {
    const FlowKey key{be32(0x0a000000 + i / 60000), be16(static_cast<uint16_t>(1024 + i % 60000)), {}};
    if (table.insert(key) != nullptr) keys.push_back(key);
  }
  std::shuffle(keys.begin(), keys.end(), std::mt19937(3));
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.find(keys[next]));
    next = next + 1 == keys.size() ? 0 : next + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(find_flow)->ArgName("flows")->Arg(4096)->Arg(65536)->Arg(1 << 20);

void rewrite_to_guest(benchmark::State& state) {
  test::Bytes frame = test::build(test::TcpFrame{});
  const ParsedPacket parsed = parse_frame(frame);
  const ServiceRewrite rewrite(SteeringService{.vip = be32(0xc000020a),
                                               .port = be16(80),
                                               .guest_ip = be32(0x0a000002),
                                               .guest_port = be16(8080),
                                               .gateway_ip = {}});
  for (auto _ : state) {
    rewrite.to_guest(frame.data(), parsed);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(rewrite_to_guest);

}  // namespace
}  // namespace cheshire

BENCHMARK_MAIN();
