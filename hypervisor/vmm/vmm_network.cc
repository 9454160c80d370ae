// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The vhost-user connection while the guest lives: answers, the rings, and a data plane that goes and comes
// back.
#include <sys/time.h>

#include "hypervisor/vmm/vmm.h"

namespace cheshire {
namespace {

// A restarted data plane listens again within its start; longer than this, the VM has no purpose.
constexpr uint32_t kReconnectsMax = 500;
constexpr suseconds_t kReconnectPeriodUs = 10'000;

void set_alarm(suseconds_t period_us) {
  const itimerval timer{.it_interval = {0, period_us}, .it_value = {0, period_us}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

void Vmm::read_network() {
  if (!network_ || state_ == VcpuState::kFinished) return;
  if (network_->fd() < 0) return try_to_reconnect();
  const bool awaited = network_->answers_pending();
  if (!network_->advance()) return schedule_reconnect(network_->broken());
  if (awaited && !network_->answers_pending() && device_->driver_ok()) log_.note(VmmStage::kRings);
  // After a reconnect, the rings follow the set-up; at the first boot the guest is not there yet.
  if (rings_used_ && network_->prepared() && reconnects_left_ != 0) {
    reconnects_left_ = 0;
    start_rings();
  }
}

void Vmm::schedule_reconnect(const std::string& why) {
  if (reconnects_left_ == 0) reconnects_left_ = kReconnectsMax;
  if (reconnects_left_ == 1) return finish(why + ", and did not come back within 5 s");
  set_alarm(kReconnectPeriodUs);  // wakes the vCPU too, wherever it is
}

void Vmm::try_to_reconnect() {
  if (reconnects_left_ > 1) --reconnects_left_;
  if (!network_->connect()) return schedule_reconnect(network_->broken());
  set_alarm(0);
  raise_signal_when_readable(network_->fd());
  if (!rings_used_) reconnects_left_ = 0;
  read_network();  // an answer may have come before the signal was asked for
}

void Vmm::start_rings() {
  log_.note(VmmStage::kDriverOk);
  const bool resume = rings_used_;
  rings_used_ = true;
  if (!network_ || network_->fd() < 0) return;
  if (!network_->start_rings(device_->features(), device_->queues(), resume)) {
    schedule_reconnect(network_->broken());
  }
}

void Vmm::stop_rings() {
  rings_used_ = false;
  if (network_ && network_->fd() >= 0 && !network_->stop_rings()) schedule_reconnect(network_->broken());
}

}  // namespace cheshire
