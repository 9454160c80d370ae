// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The thread of the offload manager: off the polling cores, because a rule may take milliseconds. Workers reach it by
// a ring, the control thread by set_services(), telemetry reads the board.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "counter.h"
#include "dataplane/flow_offload.h"
#include "spsc_ring.h"
#include "steering_table.h"

namespace cheshire {

inline constexpr uint64_t kOffloadTickNs = 10 * kNsPerMs;
inline constexpr size_t kPinRequestsMax = 1024;

class OffloadThread {
 public:
  // `marks` and `board` outlive it.
  OffloadThread(std::unique_ptr<FlowDevice> device, const FlowMarkBoard& marks, OffloadBoard& board,
                FlowOffloadOptions options = {});
  // Returns when the NIC holds none of our rules.
  ~OffloadThread();
  OffloadThread(const OffloadThread&) = delete;
  OffloadThread& operator=(const OffloadThread&) = delete;

  // Control thread: the services that exist from now on.
  void set_services(const SteeringTable& table);
  // One worker. False if the ring is full: then the flow is not pinned.
  [[nodiscard]] bool pin(const PinRequest& request) { return pins_.push(request); }

 private:
  void run();
  void turn(FlowOffload& offload);

  const std::unique_ptr<FlowDevice> device_;
  const FlowMarkBoard& marks_;
  OffloadBoard& board_;
  const FlowOffloadOptions options_;
  SpscRing<PinRequest> pins_{kPinRequestsMax};
  std::mutex mutex_;                                     // guards services_
  std::optional<std::vector<OffloadService>> services_;  // news of the control thread
  Counter stop_;
  std::thread thread_;
};

}  // namespace cheshire
