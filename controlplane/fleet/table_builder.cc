// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/table_builder.h"

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

}  // namespace

std::string instance_name(const Config& config, const Instance& instance) {
  return config.services[instance.service.value].name + "/" + std::to_string(instance.number) + "/" +
         std::to_string(instance.id.generation.value);
}

void TableBuilder::set(const Instance& instance) {
  slots_[instance.id.slot.value] =
      instance.listed() ? SteeringSlot{instance.id.generation, instance.service, role_of(instance)}
                        : SteeringSlot{};
}

// Over the instances that accept flows; the worker passes over those that are not ready.
TableBuilder::MaglevOfService TableBuilder::maglev_tables() {
  MaglevOfService tables;
  std::vector<SlotIndex> members;
  for (const ServiceIndex service : maglev_services_) {
    members.clear();
    for (uint16_t slot = 0; slot < slots_.size(); ++slot) {
      const bool accepts = slots_[slot].role == SlotRole::kAccepting;
      if (accepts && slots_[slot].service == service) members.push_back(SlotIndex{slot});
    }
    tables.push_back(maglev_.table(service, members));
  }
  return tables;
}

std::shared_ptr<const SteeringServices> TableBuilder::make_services(const Sources& from) {
  std::vector<SteeringService> services;
  services.reserve(from.config->services.size());
  for (size_t index = 0; index < from.config->services.size(); ++index) {
    const ServiceConfig& service = from.config->services[index];
    services.push_back({.vip = service.vip,
                        .port = service.port,
                        .worker = from.config->worker_of(ServiceIndex{static_cast<uint16_t>(index)}),
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
                        .rules_given = rules_.rules(ServiceIndex{static_cast<uint16_t>(index)}, service),
                        .instances_max = static_cast<uint16_t>(service.instances_max),
                        .refuse = from.refusing[index]});
  }
  for (size_t i = 0; i < maglev_services_.size(); ++i) {
    services[maglev_services_[i].value].maglev = from.maglev[i];
  }
  return std::make_shared<const SteeringServices>(std::move(services));
}

SteeringTable TableBuilder::build(const std::shared_ptr<const Config>& config,
                                  const std::vector<bool>& refusing) {
  if (config != sources_.config) {
    maglev_services_.clear();
    for (uint16_t index = 0; index < config->services.size(); ++index) {
      const bool balances_so = config->services[index].balance == Balance::kMaglev;
      if (balances_so) maglev_services_.push_back(ServiceIndex{index});
    }
  }
  Sources sources{config, refusing, maglev_tables()};
  if (services_ == nullptr || !(sources == sources_)) {
    services_ = make_services(sources);
    sources_ = std::move(sources);
  }
  return SteeringTable(services_, slots_);
}

}  // namespace cheshire
