// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Open vSwitch with DPDK as a yardstick: a database and a switch of its own beside whatever the machine has, in
// a directory of its own, a bridge in user space between net_pcap (a file in a circle) and net_null, and its
// polling thread's own account of its cycles. Both processes end with the one that started them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "bench/support/openvswitch_statistics.h"
#include "bench/support/testpmd_peer.h"
#include "bench/support/vanishing_directory.h"
#include "result.h"

namespace cheshire {

struct OpenvswitchOptions {
  std::string pcap;      // the frames
  uint16_t outputs = 8;  // net_null each
  long cpu = 1;          // of the polling thread; all else runs on the first
};

// One thread uses it.
class OpenvswitchPeer {
 public:
  enum class Way {
    kPlainOutput,  // everything to the first output, one rule
    kSelectGroup,  // by a select group's hash of addresses, protocol and ports. The group's other method (dp_hash,
                   // the default) needs a second pass of each packet: dearer for a fixed set of flows.
  };

  // kNotFound: it is not installed.
  [[nodiscard]] static Result<std::unique_ptr<OpenvswitchPeer>> start(const OpenvswitchOptions& options);

  // From now on all goes that way. Returns when none of the frames is new to its caches any more.
  [[nodiscard]] std::optional<Error> steer(Way way);
  // Of the polling thread's time on its CPU, in cycles of the time stamp counter: what others take of a shared
  // machine is not counted. Looks at the outputs, which bring nothing, are in it, as Cheshire's at its guests are.
  // An error where the packets did not come out as they should.
  [[nodiscard]] Result<double> cycles_per_packet(double seconds);

 private:
  explicit OpenvswitchPeer(const OpenvswitchOptions& options) : options_(options) {}
  std::optional<Error> start_processes();
  std::optional<Error> make_bridge();
  [[nodiscard]] std::vector<std::string> to_database(std::vector<std::string> words) const;
  Result<PmdStatistics> polled() const;
  Result<std::map<uint32_t, uint64_t>> sent() const;

  const OpenvswitchOptions options_;
  VanishingDirectory directory_;
  std::unique_ptr<BenchChild> database_;
  std::unique_ptr<BenchChild> switch_;
  Way way_ = Way::kPlainOutput;
};

}  // namespace cheshire
