// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The thread of the offload manager: off the polling cores, because a rule may take milliseconds. Workers reach it by
// a ring each, the control thread by set_services(), telemetry reads the board.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "counter.h"
#include "dataplane/offload/flow_offload.h"
#include "spsc_ring.h"
#include "steering_table.h"

namespace cheshire {

inline constexpr uint64_t kOffloadTickNs = 10 * kNsPerMs;

class OffloadThread {
 public:
  // `marks`, `board` and the workers' rings of requests outlive it.
  OffloadThread(std::unique_ptr<FlowDevice> device, FlowMarkBoard& marks, OffloadBoard& board,
                FlowOffloadOptions options = {}, std::vector<SpscRing<PinRequest>*> pins = {});
  // Returns when the NIC holds none of our rules.
  ~OffloadThread();
  OffloadThread(const OffloadThread&) = delete;
  OffloadThread& operator=(const OffloadThread&) = delete;

  // Control thread: the services that exist from now on.
  void set_services(const SteeringTable& table);

 private:
  void run();
  void turn(FlowOffload& offload);

  const std::unique_ptr<FlowDevice> device_;
  FlowMarkBoard& marks_;
  OffloadBoard& board_;
  const FlowOffloadOptions options_;
  const std::vector<SpscRing<PinRequest>*> pins_;        // consumer of each
  std::mutex mutex_;                                     // guards services_
  std::optional<std::vector<OffloadService>> services_;  // news of the control thread
  Counter stop_;
  std::thread thread_;
};

}  // namespace cheshire
