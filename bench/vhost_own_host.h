// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// vhost_bench's own host, in a process of its own since DPDK starts once per process: net_pcap in a circle, the real
// worker and rte_vhost, with one instance, whose guest the parent starts.
//
// It says "listening" when the guest may come and "ready" when every flow is open, or {"error": …}. From then on it
// answers each line on its standard input with one of JSON, a VhostOwnCounts. It ends with its input.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace cheshire {

// Since the start.
struct VhostOwnCounts {
  uint64_t received = 0;  // from the NIC
  uint64_t to_guest = 0;
  uint64_t from_guest = 0;
  uint64_t back = 0;  // out of the NIC
  uint64_t turns = 0;
  uint64_t time_ns = 0;  // monotonic
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(VhostOwnCounts, received, to_guest, from_guest, back, turns, time_ns)

struct VhostOwnHost {
  std::string pcap;
  std::string directory;  // of the socket
  uint32_t flows = 0;
};
// Returns the process's exit code, if at all.
int run_vhost_own_host(const VhostOwnHost& options);

}  // namespace cheshire
