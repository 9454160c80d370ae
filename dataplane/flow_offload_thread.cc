// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow_offload_thread.h"

#include <pthread.h>
#include <time.h>

#include <utility>

namespace cheshire {

std::vector<OffloadService> offload_services(const SteeringTable& table) {
  std::vector<OffloadService> services;
  for (size_t i = 0; i < table.services().size(); ++i) {
    const SteeringService& service = table.services()[i];
    if (service.port == be16(0)) continue;  // nobody's
    services.push_back({ServiceIndex{static_cast<uint16_t>(i)}, service.vip, service.port});
  }
  return services;
}

FlowOffloadThread::FlowOffloadThread(Links links, FlowOffloadOptions options)
    : links_(std::move(links)), options_(std::move(options)), thread_([this] { run(); }) {}

FlowOffloadThread::~FlowOffloadThread() {
  stop_.publish(1);
  thread_.join();
}

void FlowOffloadThread::set_services(std::vector<OffloadService> services) {
  const std::lock_guard lock(mutex_);
  services_ = std::move(services);
}

void FlowOffloadThread::run() {
  pthread_setname_np(pthread_self(), "nic-offload");
  FlowOffload offload(*links_.device, options_, *links_.marks, [] { return monotonic_ns(); });
  while (stop_.observe() == 0) {
    turn(offload);
    constexpr timespec kPause{.tv_sec = 0, .tv_nsec = static_cast<long>(kOffloadTickNs)};
    nanosleep(&kPause, nullptr);
  }
}

void FlowOffloadThread::turn(FlowOffload& offload) {
  std::optional<std::vector<OffloadService>> services;
  {
    const std::lock_guard lock(mutex_);
    services = std::exchange(services_, std::nullopt);
  }
  if (services) offload.set_services(std::move(*services));
  PinRequest request;
  for (size_t i = 0; i < kPinRequestsMax && pins_.pop(request); ++i) offload.pin(request);
  offload.tick(monotonic_ns());
  for (const std::string& line : offload.take_news()) links_.log(line);
  links_.board->show(offload.status());
}

}  // namespace cheshire
