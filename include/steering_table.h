// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the control thread tells the workers: which instance may get which flows. Immutable once published
// (published.h); a worker that sees a newer table compares it with the one it holds and acts on the
// difference: a slot whose instance is no longer listed has its flows reset.
//
// The services change with the configuration, the slots with every decision: tables that differ in slots only
// share one list of services, so that a decision among a thousand services is published in some microseconds.
//
// Built by controlplane/fleet/table_builder.h, read by the workers on every new flow.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "admission_rules.h"
#include "balance.h"
#include "be.h"
#include "ids.h"
#include "net.h"

namespace cheshire {

enum class SlotRole : uint8_t {
  kEmpty,      // no instance: nobody may send or receive here
  kAccepting,  // gets new flows once it was seen to be ready
  kDraining,   // keeps its flows, gets no new ones
  kWarming,    // booted ahead of any client: proven by our own probe, gets no flows
  kStandby,    // its vCPU is paused, or about to be: a packet for one of its flows wakes it
};

struct SteeringSlot {
  Generation generation;
  ServiceIndex service;
  SlotRole role = SlotRole::kEmpty;
  friend bool operator==(const SteeringSlot&, const SteeringSlot&) = default;
};

struct SteeringService {
  be32 vip;
  be16 port;
  uint16_t worker = 0;  // that has its flows and its instances: Config::worker_of()
  be32 guest_ip;
  be16 guest_port;
  be32 gateway_ip;  // a neighbour of the guest that nobody is: our probes come from there; none: no probes
  uint32_t in_flight_soft = 0;
  uint32_t in_flight_hard = 0;  // flows per instance, never more; 0: no limit
  Balance balance = Balance::kLeast;
  uint8_t slow_start_floor_percent = 100;
  uint64_t slow_start_ns = 0;                 // 0: an instance has its full share as soon as it is ready
  std::shared_ptr<const MaglevTable> maglev;  // with Balance::kMaglev; copied by the control thread only
  uint32_t hold_syns_max = 0;
  uint64_t hold_time_max_ns = 0;
  std::shared_ptr<const AdmissionRules> rules_given;  // none: kPlainRules
  uint16_t instances_max = 0;                         // ready ones, and those that may still come
  bool refuse = false;  // boots fail again and again: a SYN that nobody can take is refused at once

  [[nodiscard]] const AdmissionRules& rules() const {
    return rules_given == nullptr ? kPlainRules : *rules_given;
  }
};

// Who listens where.
class SteeringServices {
 public:
  SteeringServices() = default;
  // By ServiceIndex, VIP:port distinct; one with port 0 is nobody's.
  explicit SteeringServices(std::vector<SteeringService> services);

  // The service that listens there. Worker, per packet: one probe of a table at most half full.
  [[nodiscard]] std::optional<ServiceIndex> find(be32 vip, be16 port) const {
    if (match_.empty()) return std::nullopt;
    for (uint32_t at = hash(vip, port);; ++at) {
      const uint16_t index = match_[at & match_mask_];
      if (index == kFree) return std::nullopt;
      const SteeringService& service = services_[index];
      if (service.vip == vip && service.port == port) return ServiceIndex{index};
    }
  }
  // Worker, per packet that is for no service: a scan is not to be had by who asks for wrong ports.
  [[nodiscard]] bool is_vip(be32 address) const;

  [[nodiscard]] const std::vector<SteeringService>& all() const { return services_; }

 private:
  static constexpr uint16_t kFree = 0xffff;
  static_assert(kServicesMax < kFree);

  // Services come from the operator, not from the network: no key is needed.
  [[nodiscard]] static uint32_t hash(be32 vip, be16 port) {
    return ((vip.raw() * 0x9e3779b1U) ^ (port.raw() * 0x85ebca6bU)) >> 7U;
  }

  std::vector<SteeringService> services_;
  std::vector<uint16_t> match_;  // open addressing, linear probing, a power of two
  uint32_t match_mask_ = 0;
  std::vector<uint32_t> vips_;  // ascending, as they stand in packets
};

class SteeringTable {
 public:
  SteeringTable() : SteeringTable(std::make_shared<const SteeringServices>(), {}) {}
  // `slots` by SlotIndex.
  SteeringTable(std::shared_ptr<const SteeringServices> services, std::vector<SteeringSlot> slots);
  SteeringTable(std::vector<SteeringService> services, std::vector<SteeringSlot> slots)
      : SteeringTable(std::make_shared<const SteeringServices>(std::move(services)), std::move(slots)) {}

  [[nodiscard]] std::optional<ServiceIndex> find(be32 vip, be16 port) const {
    return services_->find(vip, port);
  }
  [[nodiscard]] bool is_vip(be32 address) const { return services_->is_vip(address); }

  [[nodiscard]] const SteeringService& service(ServiceIndex index) const { return services()[index.value]; }
  // The slots of the service that hold an instance, whatever its role, in ascending order.
  [[nodiscard]] std::span<const SlotIndex> members(ServiceIndex index) const {
    return std::span(members_).subspan(firsts_[index.value],
                                       firsts_[index.value + 1U] - firsts_[index.value]);
  }
  [[nodiscard]] const SteeringSlot& slot(SlotIndex index) const { return slots_[index.value]; }
  [[nodiscard]] const std::vector<SteeringService>& services() const { return services_->all(); }
  [[nodiscard]] const std::vector<SteeringSlot>& slots() const { return slots_; }
  // Then nothing but slots is different.
  [[nodiscard]] bool has_services_of(const SteeringTable& other) const {
    return services_ == other.services_;
  }

 private:
  void list_members();

  std::shared_ptr<const SteeringServices> services_;
  std::vector<SteeringSlot> slots_;
  std::vector<SlotIndex> members_;  // by service, then by slot
  std::vector<uint16_t> firsts_;    // by service: the place of its first one; and the end
};

}  // namespace cheshire
