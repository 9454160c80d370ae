// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/reaction_stage.h"

#include <algorithm>
#include <ctime>

namespace cheshire::bench {

Config services(size_t count, const ServiceConfig& like) {
  Config config;
  config.images.push_back({.name = "image", .driver = DriverKind::kFake});
  for (size_t i = 0; i < count; ++i) {
    ServiceConfig service = like;
    service.name = "s" + std::to_string(i);
    service.vip = be32(static_cast<uint32_t>(0x0a000000 + i));
    service.port = be16(80);
    service.guest_ip = be32(0x0a000002);
    service.guest_port = be16(80);
    service.boot_deadline_ns = 3600 * kNsPerSecond;
    service.idle_after_ns = 3600 * kNsPerSecond;
    config.services.push_back(service);
  }
  return config;
}

uint64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_nsec);
}

LoadRecord record_of(const Stage& stage, LoadEdge edge, uint16_t service, uint16_t slot, uint64_t now_ns) {
  const SlotLoad& load = stage.board.slot(SlotIndex{slot});
  LoadRecord record;
  record.edge = edge;
  record.service = ServiceIndex{service};
  record.slot = SlotIndex{slot};
  record.generation = Generation{1};
  record.in_flight = record.in_flight_peak = static_cast<uint32_t>(load.in_flight.get());
  record.time_ns = now_ns;
  record.packets_to_guest = load.packets_to_guest.get();
  return record;
}

double percentile(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<size_t>(part * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
}

}  // namespace cheshire::bench
