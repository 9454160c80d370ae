// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/offload/offload_thread.h"

#include <pthread.h>
#include <time.h>

#include <utility>

#include "log.h"

namespace cheshire {

OffloadThread::OffloadThread(std::unique_ptr<FlowDevice> device, FlowMarkBoard& marks, OffloadBoard& board,
                             FlowOffloadOptions options, std::vector<SpscRing<PinRequest>*> pins)
    : device_(std::move(device)),
      marks_(marks),
      board_(board),
      options_(std::move(options)),
      pins_(std::move(pins)),
      thread_([this] { run(); }) {}

OffloadThread::~OffloadThread() {
  stop_.publish(1);
  thread_.join();
}

void OffloadThread::set_services(const SteeringTable& table) {
  std::vector<OffloadService> services;
  for (size_t i = 0; i < table.services().size(); ++i) {
    const SteeringService& service = table.services()[i];
    if (service.port == be16(0)) continue;  // nobody's
    services.push_back({ServiceIndex{static_cast<uint16_t>(i)}, service.vip, service.port, service.worker});
  }
  const std::lock_guard lock(mutex_);
  services_ = std::move(services);
}

void OffloadThread::run() {
  pthread_setname_np(pthread_self(), "nic-offload");
  FlowOffload offload(*device_, options_, marks_, [] { return monotonic_ns(); });
  while (stop_.observe() == 0) {
    turn(offload);
    constexpr timespec kPause{.tv_sec = 0, .tv_nsec = static_cast<long>(kOffloadTickNs)};
    nanosleep(&kPause, nullptr);
  }
}

void OffloadThread::turn(FlowOffload& offload) {
  std::optional<std::vector<OffloadService>> services;
  {
    const std::lock_guard lock(mutex_);
    services = std::exchange(services_, std::nullopt);
  }
  if (services) offload.set_services(std::move(*services));
  PinRequest request;
  for (SpscRing<PinRequest>* ring : pins_) {
    for (size_t i = 0; i < kPinRequestsMax && ring->pop(request); ++i) offload.pin(request);
  }
  offload.tick(monotonic_ns());
  for (const std::string& line : offload.take_news()) log::info("flow offload: {}", line);
  board_.show(offload.status());
}

}  // namespace cheshire
