// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the control thread shows of itself to telemetry: a copy, made at most every few milliseconds. The
// writer never waits for a reader longer than the copying of a pointer.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config.h"
#include "controlplane/fleet/instance.h"
#include "controlplane/policy/policy.h"
#include "controlplane/trace/trace_record.h"
#include "hypervisor/driver.h"

namespace cheshire {

// One start of an instance that a SYN waited for, from whatever tier. Times in ns since that SYN was seen; 0
// for what had been done before it came.
struct ColdStart {
  uint64_t number = 0;  // 1, 2, 3 … in the life of the daemon
  std::string name;     // of the instance
  ServiceIndex service;
  InstanceId instance;
  StartTier tier = StartTier::kCold;
  uint64_t boot_ordered_ns = 0;
  uint64_t spawn_began_ns = 0;      // the driver began to make the VM's process
  uint64_t spawned_ns = 0;          // the VM's process exists
  uint64_t vhost_connected_ns = 0;  // it connected to the vhost-user socket
  uint64_t ring_up_ns = 0;          // the guest's driver made its rings ready
  uint64_t syn_delivered_ns = 0;
  uint64_t syn_ack_ns = 0;  // the guest's SYN-ACK was taken off its ring
  uint64_t on_wire_ns = 0;  // … and given to the NIC: the whole cold start
  // Our own share: all but the making and starting of the VM's process, the guest's boot and the guest's
  // answer. That is the way from SYN to boot order, from order to the driver's thread, the handling of
  // vhost-user messages, and the ways from ring up to SYN delivered and from SYN-ACK to wire.
  uint64_t own_ns = 0;
};

struct ServiceStatus {
  uint32_t booting = 0;
  uint32_t active = 0;
  uint32_t draining = 0;
  uint32_t shells = 0;    // prepared, or being prepared
  uint32_t standby = 0;   // paused, being paused, or warming for that
  uint32_t stopping = 0;  // leaving or stopping
  uint32_t wanted = 0;
  uint64_t boots = 0;
  uint64_t boots_failed = 0;
  uint64_t cold_starts = 0;
  uint64_t silent = 0;  // instances that were replaced because they stopped answering
  bool refusing = false;
  // Flows opened in slots that the service has no more, less those of its slots before it had them.
  uint64_t flows_elsewhere = 0;
  std::array<MetricView, kMetrics> metrics{};
  uint32_t metrics_valid = 0;   // bit 1 << Metric
  TraceDecision last_decision;  // that changed the size, or wanted to; time_ns 0: none so far
};

struct Status {
  std::vector<ServiceStatus> services;                                      // by ServiceIndex
  std::vector<Instance> instances;                                          // by slot
  std::vector<std::optional<VmUsage>> usage;                                // by slot
  std::deque<ColdStart> cold_starts;                                        // oldest first, bounded
  std::shared_ptr<const Config> config = std::make_shared<const Config>();  // what they were run by
  uint64_t time_ns = 0;
};

class StatusBoard {
 public:
  void show(std::shared_ptr<const Status> status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  [[nodiscard]] std::shared_ptr<const Status> latest() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Status> status_ = std::make_shared<Status>();
};

}  // namespace cheshire
