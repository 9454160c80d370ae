// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/status_publisher.h"

#include <memory>
#include <optional>

namespace cheshire {
namespace {

constexpr uint64_t kStatusIntervalNs = 5 * kNsPerMs;

void count(InstanceState state, ServiceStatus& service) {
  switch (state) {
    case InstanceState::kAbsent:
      return;
    case InstanceState::kPreparing:
    case InstanceState::kShell:
      ++service.shells;
      return;
    case InstanceState::kWarming:
    case InstanceState::kPausing:
    case InstanceState::kStandby:
      ++service.standby;
      return;
    case InstanceState::kBooting:
      ++service.booting;
      return;
    case InstanceState::kActive:
      ++service.active;
      return;
    case InstanceState::kDraining:
      ++service.draining;
      return;
    case InstanceState::kLeaving:
    case InstanceState::kStopping:
      ++service.stopping;
      return;
  }
}

}  // namespace

void StatusPublisher::show(uint64_t now_ns) {
  if (now_ns - shown_ns_ < kStatusIntervalNs && shown_ns_ != 0) return;
  shown_ns_ = now_ns;
  auto status = std::make_shared<Status>();
  status->time_ns = now_ns;
  status->config = from_.config.now;
  status->instances = from_.pool.all();
  status->usage.reserve(status->instances.size());
  for (const Instance& instance : status->instances) {
    const bool runs = instance.state != InstanceState::kAbsent;
    status->usage.push_back(runs ? from_.drivers.at(instance.driver)->usage(instance.id) : std::nullopt);
  }
  status->cold_starts = from_.cold_starts.newest();
  status->services.reserve(from_.records.size());
  for (uint16_t index = 0; index < from_.records.size(); ++index) {
    ServiceStatus& service = status->services.emplace_back(from_.records[index].status);
    service.refusing = from_.records[index].refusing;
    service.flows_elsewhere = from_.pool.flows_elsewhere(ServiceIndex{index});
  }
  for (const Instance& instance : status->instances) {
    if (instance.service != kNobodys) count(instance.state, status->services[instance.service.value]);
  }
  board_.show(std::move(status));
}

}  // namespace cheshire
