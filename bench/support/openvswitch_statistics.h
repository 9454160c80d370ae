// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What Open vSwitch tells of itself, read from its tools' text. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "result.h"

namespace cheshire {

// Of one polling thread since it began, from `ovs-appctl dpif-netdev/pmd-stats-show`. Cycles are those of the
// time stamp counter; busy ones belong to rounds over all its ports that brought packets.
struct PmdStatistics {
  uint64_t packets = 0;
  uint64_t misses = 0;  // packets that asked the slow path
  uint64_t busy_cycles = 0;
};
[[nodiscard]] Result<PmdStatistics> parse_pmd_statistics(std::string_view text, long core);

// Packets sent by number of the port, from `ovs-ofctl dump-ports`.
[[nodiscard]] Result<std::map<uint32_t, uint64_t>> parse_sent_packets(std::string_view text);

}  // namespace cheshire
