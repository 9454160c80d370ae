// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/table_builder.h"

#include "controlplane/config/command_line.h"

namespace cheshire {

namespace {

SlotRole role_of(const Instance& instance) {
  switch (instance.state) {
    case InstanceState::kDraining:
      return instance.last_resort ? SlotRole::kAccepting : SlotRole::kDraining;
    case InstanceState::kWarming:
      return SlotRole::kWarming;
    case InstanceState::kPausing:
    case InstanceState::kStandby:
      return SlotRole::kStandby;
    default:
      return SlotRole::kAccepting;
  }
}

// Over the instances that accept flows; the worker passes over those that are not ready.
void add_maglev_tables(std::vector<SteeringService>& services, const std::vector<SteeringSlot>& slots,
                       MaglevTables& maglev) {
  for (uint16_t index = 0; index < services.size(); ++index) {
    SteeringService& service = services[index];
    if (service.balance != Balance::kMaglev) continue;
    std::vector<SlotIndex> members;
    for (uint16_t slot = 0; slot < slots.size(); ++slot) {
      const bool accepts = slots[slot].role == SlotRole::kAccepting;
      if (accepts && slots[slot].service.value == index) members.push_back(SlotIndex{slot});
    }
    service.maglev = maglev.table(ServiceIndex{index}, members);
  }
}

}  // namespace

std::string instance_name(const Config& config, const Instance& instance) {
  return config.services[instance.service.value].name + "/" + std::to_string(instance.number) + "/" +
         std::to_string(instance.id.generation.value);
}

SteeringTable build_steering_table(const Config& config, std::span<const Instance> instances,
                                   const std::vector<bool>& refusing, MaglevTables& maglev,
                                   AdmissionRulesBook& rules) {
  std::vector<SteeringService> services;
  services.reserve(config.services.size());
  for (size_t index = 0; index < config.services.size(); ++index) {
    const ServiceConfig& service = config.services[index];
    services.push_back({.vip = service.vip,
                        .port = service.port,
                        .guest_ip = service.guest_ip,
                        .guest_port = service.guest_port,
                        .gateway_ip = gateway_of(service.guest_ip),
                        .in_flight_soft = service.in_flight_soft,
                        .in_flight_hard = service.in_flight_hard == kHardAuto ? 0 : service.in_flight_hard,
                        .balance = service.balance,
                        .slow_start_floor_percent = static_cast<uint8_t>(service.slow_start_floor_percent),
                        .slow_start_ns = service.slow_start_ns,
                        .hold_syns_max = service.hold_syns_max,
                        .hold_time_max_ns = service.hold_time_max_ns,
                        .rules_given = rules.rules(ServiceIndex{static_cast<uint16_t>(index)}, service),
                        .instances_max = static_cast<uint16_t>(service.instances_max),
                        .refuse = refusing[index]});
  }
  std::vector<SteeringSlot> slots(instances.size());
  for (size_t index = 0; index < instances.size(); ++index) {
    const Instance& instance = instances[index];
    if (!instance.listed()) continue;
    slots[index] = {instance.id.generation, instance.service, role_of(instance)};
  }
  add_maglev_tables(services, slots, maglev);
  return SteeringTable(std::move(services), std::move(slots));
}

}  // namespace cheshire
