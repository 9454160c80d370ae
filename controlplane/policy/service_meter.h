// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One service's metrics, from what the load board shows at each look (docs/autoscaling.md, "Metrics").
//
//   in_flight               the most that were open at once in metrics.window, with the SYNs that waited
//   flow_, packet_, bit_rate  growth of cumulative counts over metrics.window
//   cpu                     run time of the vCPU threads that are warm, over metrics.window
//   queue_delay             the worst in metrics.window
//   handshake_time          the mean of those that ended in metrics.window
//
// Counts are cumulative and peaks come with the load records, so a burst between two looks is not lost. A
// metric is unknown until three quarters of a window have been seen; cpu anew after each change of the set of
// instances, because the old share of each says nothing about the new one.
//
// Control thread only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "config.h"
#include "controlplane/fleet/instance.h"
#include "controlplane/policy/metric_window.h"
#include "controlplane/policy/policy.h"
#include "hypervisor/driver.h"
#include "load_board.h"
#include "load_record.h"

namespace cheshire {

class ServiceMeter {
 public:
  // A record of this service came: its peaks are part of the next look.
  void take(const LoadRecord& record);
  // Whether the drivers are to be asked now: some policy looks at cpu, and they were not asked lately.
  [[nodiscard]] bool wants_usage(const ServiceConfig& rules, uint64_t now_ns);
  // `position`: of the instance in the service.
  void take_usage(const ServiceConfig& rules, size_t position, const VmUsage& usage) {
    if (position >= cpu_.size()) cpu_.resize(position + 1);
    cpu_[position].look(usage.time_ns, usage.cpu_ns, rules.metrics_window_ns);
  }

  // Fills view.metrics; view's counts are there already. `instances`: of the service, in the order of slots.
  void look(InstanceRange<const Instance> instances, const LoadBoard& board, ServiceIndex service,
            const ServiceConfig& rules, uint64_t now_ns, ServiceView& view);

 private:
  struct Sums;
  void set(ServiceView& view, Metric metric, MetricView raw, const ServiceConfig& rules, uint64_t now_ns);
  void forget_if_slots_changed(InstanceRange<const Instance> instances);
  void look_at_cpu(InstanceRange<const Instance> instances, const ServiceConfig& rules, uint64_t now_ns,
                   ServiceView& view);

  // Of the records since the last look: records of one publication bear one time, and their peaks add up.
  uint64_t burst_time_ns_ = 0;
  uint32_t burst_ = 0;
  uint32_t burst_max_ = 0;
  uint64_t delay_max_ns_ = 0;

  WindowMax in_flight_;
  WindowMax queue_delay_;
  WindowRate flows_;
  WindowRate packets_;
  WindowRate bytes_;
  WindowRate handshakes_;
  WindowRate handshake_ns_;
  std::vector<WindowRate> cpu_;  // by position in the service
  std::array<Smoothed, kMetrics> smoothed_values_;
  std::array<Smoothed, kMetrics> smoothed_totals_;
  uint64_t usage_due_ns_ = 0;
  uint64_t slots_ = 0;    // told by their numbers: whether they are the same as before
  uint64_t serving_ = 0;  // a sum over the instances that are active: whether they are the same as before
};

}  // namespace cheshire
