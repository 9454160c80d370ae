// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/plan.h"

#include <algorithm>

#include "controlplane/policy/policy_lint.h"

namespace cheshire::sim {
namespace {

// Rules that let go of what they no longer need, so that a world comes to rest.
std::vector<PolicyConfig> make_policies(Random& random, const ServiceConfig& service) {
  std::vector<PolicyConfig> policies;
  const auto soft = static_cast<int64_t>(service.in_flight_soft);
  switch (random.below(5)) {
    case 0:
      policies.push_back({.name = "target",
                          .kind = PolicyKind::kTarget,
                          .metric = Metric::kInFlight,
                          .target = static_cast<int64_t>(random.between(1, 8))});
      break;
    case 1:
      policies.push_back({.name = "rate",
                          .kind = PolicyKind::kTarget,
                          .metric = Metric::kFlowRate,
                          .target = static_cast<int64_t>(random.between(20, 400))});
      break;
    case 2:
      policies.push_back({.name = "out",
                          .kind = PolicyKind::kStep,
                          .metric = Metric::kInFlight,
                          .adjustment = Adjustment::kPercent,
                          .steps = {{soft + 1, 2 * soft + 2, 50}, {2 * soft + 2, {}, 100}}});
      policies.push_back({.name = "in",
                          .kind = PolicyKind::kStep,
                          .metric = Metric::kInFlight,
                          .adjustment = Adjustment::kChange,
                          .steps = {{{}, (soft + 1) / 2, -1}}});
      break;
    case 3:
      policies.push_back({.name = "delay",
                          .kind = PolicyKind::kStep,
                          .metric = random.percent(50) ? Metric::kQueueDelay : Metric::kHandshakeTime,
                          .adjustment = Adjustment::kChange,
                          .steps = {{static_cast<int64_t>(2 * kNsPerMs), {}, 1}}});
      break;
    default:
      break;
  }
  policies.push_back({.name = "on-demand", .kind = PolicyKind::kOnDemand});
  policies.push_back({.name = "idle", .kind = PolicyKind::kIdle});
  return policies;
}

WorkerConfig make_worker(Random& random) {
  constexpr uint32_t kFlows[] = {4, 16, 64, 1024, 65536};
  WorkerConfig worker;
  worker.flows_max = kFlows[random.below(5)];
  worker.handshake_timeout_ns = random.between(300, 2000) * kNsPerMs;
  worker.idle_timeout_ns = random.between(800, 4000) * kNsPerMs;
  worker.closing_timeout_ns = random.between(100, 1000) * kNsPerMs;
  worker.sources_max = random.percent(30) ? 16 : 1024;
  worker.publication_ns = random.between(200, 2000) * kNsPerUs;
  return worker;
}

void add_faults(Plan& plan, Random& random) {
  plan.trouble_ns = random.spread(5 * kNsPerMs, 200 * kNsPerMs);
  const auto sometimes = [&](unsigned most) {
    return random.percent(50) ? 0U : static_cast<unsigned>(random.between(1, most));
  };
  plan.late_percent = sometimes(30);
  plan.command_percent = sometimes(40);
  plan.pool_empty_percent = sometimes(10);
  plan.guests.boot_fails_percent = random.percent(20) ? 60 : sometimes(30);
  plan.guests.falls_ill_percent = sometimes(40);
  plan.guests.crashes_percent = sometimes(40);
  plan.wire.lost_ppm = random.percent(50) ? 0 : random.spread(100, 50'000);
  plan.wire.doubled_ppm = random.percent(50) ? 0 : random.spread(100, 20'000);
  plan.clients.vanish_percent = sometimes(20);
  plan.clients.hang_up_percent = sometimes(20);
  plan.clients.reuse_percent = sometimes(60);
  plan.clients.storms_percent = sometimes(20);
  plan.load_records = size_t{1} << random.between(1, 12);
  plan.ends_under_load = random.percent(30);
}

// What its theme is about does not go missing.
void follow_theme(Plan& plan, Random& random) {
  switch (plan.theme) {
    case Theme::kFair:
      return;
    case Theme::kStorms:
      plan.trouble_ns = random.between(10, 60) * kNsPerMs;
      plan.clients.storms_percent = 60;
      plan.late_percent = 30;
      plan.wire.delay_max_ns = 20 * kNsPerUs;
      plan.step_max_ns = 20 * kNsPerUs;
      plan.load_ns = random.between(200, 500) * kNsPerMs;
      plan.load_records = size_t{1} << random.between(1, 4);
      return;
    case Theme::kBoots:
      plan.guests.boot_fails_percent = static_cast<unsigned>(random.between(20, 80));
      plan.guests.crashes_percent = 20;
      return;
    case Theme::kGuests:
      plan.guests.falls_ill_percent = 50;
      plan.guests.crashes_percent = 20;
      plan.pool_empty_percent = 10;
      return;
    case Theme::kClients:
      plan.clients.vanish_percent = 10;
      plan.clients.hang_up_percent = 30;
      plan.clients.hosts = 24;
      plan.config.worker.sources_max = 4;
      plan.clients.reuse_percent = 50;
      plan.wire.lost_ppm = random.spread(1000, 50'000);
      plan.wire.doubled_ppm = random.spread(1000, 20'000);
      return;
    case Theme::kOperator:
      plan.command_percent = 40;
      plan.trouble_ns = random.between(5, 40) * kNsPerMs;
      return;
  }
}

// Workers of which one may be late while another has much for it, and guests that take all that comes.
void make_way_for_storms(Config& config, Random& random) {
  config.eal.lcores.assign(random.between(2, 3), 0);
  config.worker.flows_max = 4096;
}

}  // namespace

ServiceConfig make_service(Random& random, uint32_t number, const Plan& plan) {
  ServiceConfig service;
  service.name = "service-" + std::to_string(number);
  service.vip = be32(0xc0000200U + 10 + number);  // 192.0.2.10 …
  service.port = be16(static_cast<uint16_t>(80 + number));
  const bool mapped = random.percent(50);  // else the guest has the VIP itself
  service.guest_ip = mapped ? be32(0x0a000002) : service.vip;
  service.guest_port = mapped ? be16(8080) : service.port;
  service.image = static_cast<uint32_t>(random.below(plan.config.images.size()));
  service.instances_max = static_cast<uint32_t>(random.between(1, 6));
  service.instances_min =
      random.percent(75) ? 0 : static_cast<uint32_t>(random.between(1, service.instances_max));
  if (random.percent(30))
    service.shells = static_cast<uint32_t>(random.between(0, std::min(2U, service.instances_max)));
  if (random.percent(40))
    service.standby = static_cast<uint32_t>(random.between(0, std::min(2U, service.instances_max)));
  if (random.percent(40)) service.idle = IdleAction::kPause;
  service.in_flight_soft =
      static_cast<uint32_t>(std::min<uint64_t>(random.spread(1, 16), plan.config.worker.flows_max));
  switch (random.below(4)) {
    case 0:
      service.in_flight_hard = kHardAuto;
      break;
    case 1:
    case 2:
      service.in_flight_hard = service.in_flight_soft + static_cast<uint32_t>(random.below(8));
      break;
    default:
      break;
  }
  constexpr Balance kBalances[] = {Balance::kLeast, Balance::kTwoChoices, Balance::kMaglev};
  service.balance = kBalances[random.below(3)];
  if (random.percent(30)) service.slow_start_ns = random.between(1, 100) * kNsPerMs;
  service.hold_syns_max = static_cast<uint32_t>(random.spread(1, 64));
  service.hold_time_max_ns = random.between(50, 1000) * kNsPerMs;
  service.boot_deadline_ns = random.between(60, 500) * kNsPerMs;
  service.idle_after_ns = random.between(20, 400) * kNsPerMs;
  service.drain_deadline_ns = random.between(50, 800) * kNsPerMs;
  constexpr OverloadAction kActions[] = {OverloadAction::kReset, OverloadAction::kHttp503,
                                         OverloadAction::kHold, OverloadAction::kDrop};
  service.overload.action = kActions[random.below(plan.fair ? 3 : 4)];
  service.overload.per_source =
      !plan.fair && random.percent(40) ? static_cast<uint32_t>(random.between(1, 20)) : 0;
  constexpr Challenge kChallenges[] = {Challenge::kNever, Challenge::kFlood, Challenge::kWake};
  service.flood.challenge = kChallenges[random.below(3)];
  if (plan.theme == Theme::kStorms && random.percent(50)) {
    service.flood.challenge = Challenge::kNever;
    service.in_flight_hard = kHardNone;
  }
  service.flood.syn_rate = random.percent(20) ? 0 : static_cast<uint32_t>(random.spread(20, 10'000));
  service.flood.remember_ns = random.between(100, 5000) * kNsPerMs;
  service.health.silent_after_ns = random.percent(15) ? 0 : random.between(100, 600) * kNsPerMs;
  service.health.probe_every_ns = random.percent(15) ? 0 : random.between(20, 400) * kNsPerMs;
  service.warmup_ns = random.between(10, 40) * kNsPerMs;
  service.cooldown_ns = random.between(10, 60) * kNsPerMs;
  service.metrics_window_ns = random.between(10, 100) * kNsPerMs;
  service.metrics_smoothing_ns = random.percent(30) ? random.between(5, 50) * kNsPerMs : 0;
  service.policies = make_policies(random, service);
  return service;
}

Plan make_plan(uint64_t seed, Random& random) {
  Plan plan;
  plan.theme = static_cast<Theme>(seed % kThemes);
  plan.fair = plan.theme == Theme::kFair;
  Config& config = plan.config;
  config.name = "sim";
  config.eal.lcores.assign(random.between(1, 3), 0);
  config.worker = make_worker(random);
  if (plan.theme == Theme::kStorms) make_way_for_storms(config, random);
  config.held_syns_max = static_cast<uint32_t>(random.spread(4, 256));
  config.spare = {.services = 2, .slots = static_cast<uint32_t>(random.between(0, 4))};
  config.images = {
      {.name = "image-a", .kernel = "/a", .command_line = "port={guest_port}", .driver = DriverKind::kFake},
      {.name = "image-b", .kernel = "/b", .command_line = "ip={guest_ip}", .driver = DriverKind::kFake}};
  plan.guests.ring_max = size_t{1} << random.between(3, 9);
  plan.guests.up_max_ns = random.spread(kNsPerMs, 40 * kNsPerMs);
  plan.guests.listens_max_ns = random.percent(50) ? 0 : random.spread(kNsPerMs, 15 * kNsPerMs);
  plan.guests.service_max_ns = random.spread(100 * kNsPerUs, 50 * kNsPerMs);
  plan.guests.down_when_paused = random.percent(50);
  plan.wire.delay_max_ns = random.spread(6 * kNsPerUs, 2 * kNsPerMs);
  plan.wire.changes_queues = random.percent(20);
  plan.clients.hosts = static_cast<uint32_t>(random.spread(1, 24));
  plan.clients.open_max = static_cast<uint32_t>(random.spread(4, 200));
  plan.clients.gap_ns = random.spread(100 * kNsPerUs, 20 * kNsPerMs);
  plan.clients.think_max_ns = random.spread(kNsPerMs, 600 * kNsPerMs);
  plan.clients.retransmit_ns = random.between(50, 300) * kNsPerMs;
  plan.step_max_ns = random.spread(5 * kNsPerUs, 100 * kNsPerUs);
  plan.control_tick_ns = random.spread(50 * kNsPerUs, kNsPerMs);
  plan.load_ns = random.between(300, 2000) * kNsPerMs;
  if (!plan.fair) add_faults(plan, random);
  follow_theme(plan, random);
  const auto services = static_cast<uint32_t>(random.between(1, 5));
  for (uint32_t number = 0; number < services; ++number)
    config.services.push_back(make_service(random, number, plan));
  return plan;
}

}  // namespace cheshire::sim
