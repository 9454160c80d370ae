// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What follows from what was seen of each instance, whatever size its service is to have.
#include "controlplane/fleet/plan_writer.h"

namespace cheshire {
namespace {

using Row = ServiceSnapshot::Row;

// The last ACK of a FIN, or a reset of ours, may still be on its way through the guest's ring when the last
// flow has ended.
constexpr uint64_t kDrainGraceNs = 5 * kNsPerMs;

// It proves a boot only by living on. One that works on too much still sends packets; one that was asked and
// sends nothing at all is dead, whatever its process says.
void see_health(PlanWriter& to, Row& row) {
  const Instance& instance = row.instance;
  if (!instance.proven && instance.state == InstanceState::kActive && !dies_young(instance, to.now_ns())) {
    to.prove(row);
  }
  const uint64_t silent_after_ns = to.rules().health.silent_after_ns;
  const uint64_t since_ns = row.sight.silent_since_ns;
  if (silent_after_ns == 0 || since_ns == 0 || to.now_ns() < since_ns + silent_after_ns) return;
  to.fail(row, "it was asked and has not sent a packet for health.silent_after", true);
}

void see_booting(PlanWriter& to, Row& row) {
  if (row.sight.ready) return to.change(row, LifeCause::kAnswered);
  const uint64_t deadline_ns = to.rules().boot_deadline_ns;
  const uint64_t asked_ns = row.sight.unanswered_since_ns;
  if (row.sight.attached && asked_ns == 0) return;  // nobody asks: it may stay unproven
  // The deadline counts from the order; where nobody asked in that time, from the first who did.
  const bool asked_late = asked_ns >= row.instance.ordered_ns + deadline_ns;
  if (to.now_ns() < (asked_late ? asked_ns : row.instance.ordered_ns) + deadline_ns) return;
  to.fail(row, row.sight.attached ? "it did not answer a SYN within boot_deadline"
                                  : "its network device was not up within boot_deadline");
}

bool standby_wanted(const PlanWriter& to, const Row& row) {
  const uint32_t there =
      to.snapshot().count(InstanceState::kPausing) + to.snapshot().count(InstanceState::kStandby);
  return !row.instance.retiring && row.sight.has_tiers && there < to.rules().standby;
}

void see_draining(PlanWriter& to, Row& row) {
  const Instance& instance = row.instance;
  if (instance.empty_since_ns != 0 && to.now_ns() - instance.empty_since_ns >= kDrainGraceNs) {
    return to.change(row, standby_wanted(to, row) ? LifeCause::kKept : LifeCause::kDrained);
  }
  if (to.now_ns() - instance.drain_began_ns >= to.rules().drain_deadline_ns) {
    to.change(row, LifeCause::kDrainExpired);
  }
}

// The vCPU is paused only when no worker counts on the instance any more; the driver says when it is.
void see_pausing(PlanWriter& to, Row& row) {
  const Instance& instance = row.instance;
  if (instance.pause_ordered_ns == 0) {
    if (!row.sight.table_passed) return;
    // Until just now workers gave it packets as to one that runs: if they did, there is something to answer.
    if (row.sight.in_flight != 0 && instance.packets != instance.pause_packets) {
      return to.change(row, LifeCause::kPauseCalledOff);
    }
    to.mark(row, ActionKind::kOrderPause);
  } else if (to.now_ns() - instance.pause_ordered_ns >= to.rules().boot_deadline_ns) {
    to.fail(row, "its vCPU did not pause within boot_deadline");
  }
}

const char* port_died(InstanceState state) {
  switch (state) {
    case InstanceState::kWarming:
      return "its vhost-user port went away while it was warming";
    case InstanceState::kBooting:
      return "its vhost-user port went away while it was booting";
    case InstanceState::kActive:
      return "its vhost-user port went away while it was active";
    case InstanceState::kDraining:
      return "its vhost-user port went away while it was draining";
    case InstanceState::kPausing:
      return "its vhost-user port went away while it was pausing";
    default:
      return "its vhost-user port went away while it was on standby";
  }
}

void see(PlanWriter& to, Row& row) {
  const Instance& instance = row.instance;
  if (instance.listed() && row.sight.dead) return to.fail(row, port_died(instance.state));
  switch (instance.state) {
    case InstanceState::kPreparing:
      if (to.now_ns() - instance.ordered_ns >= to.rules().boot_deadline_ns) {
        to.fail(row, "it was not prepared within boot_deadline");
      }
      return;
    case InstanceState::kWarming:
    case InstanceState::kBooting:
      return see_booting(to, row);
    case InstanceState::kActive:
      return see_health(to, row);
    case InstanceState::kDraining:
      see_health(to, row);
      if (instance.state == InstanceState::kDraining) see_draining(to, row);
      return;
    case InstanceState::kPausing:
      return see_pausing(to, row);
    case InstanceState::kStandby:
      if (row.sight.wake_since_ns != 0) to.change(row, LifeCause::kResumed);
      return;
    default:
      return;
  }
}

}  // namespace

void plan_from_sight(ServiceSnapshot& snapshot, uint64_t now_ns, Plan& plan) {
  PlanWriter to(snapshot, now_ns, plan);
  for (Row& row : to.rows()) see(to, row);
}

}  // namespace cheshire
