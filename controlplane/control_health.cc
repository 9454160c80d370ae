// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Health by observation: an instance that works on too much still sends packets; one that was asked and sends
// nothing at all is dead, whatever its process says.
#include "controlplane/control_loop.h"

namespace cheshire {

void ControlLoop::observe_health(Instance& instance, uint64_t now_ns) {
  if (!instance.proven && instance.state == InstanceState::kActive &&
      now_ns - instance.ready_ns >= BootBackoff::kProvenAfterNs) {
    instance.proven = true;
    services_[instance.service.value].backoff.succeeded();
  }
  const uint64_t silent_after_ns = config_of(instance).health.silent_after_ns;
  const uint64_t since_ns = load_of(instance).silent_since_ns.get();
  if (silent_after_ns == 0 || since_ns == 0 || now_ns < since_ns + silent_after_ns) return;
  ++services_[instance.service.value].status.silent;
  fail(instance, "it was asked and has not sent a packet for health.silent_after", now_ns);
}

}  // namespace cheshire
