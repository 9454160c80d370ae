// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which instance gets a new flow.
//
// Terms: the members of a service are its instances that may get new flows: ready and accepting. A member has
// `room` while fewer flows than its limit are in flight on it. A member that became ready less than
// slow_start_ns ago is `ramping`: its share rises in a line from slow_start_floor to one. In that time it has
// room for its share of its capacity only (the hard limit, else the soft one; one flow at the least), and its
// flows weigh as many more as its share is less than one: (flows + 1) / share, as in the weighted
// least-connection scheduling of IPVS.
//
//   least        the member with the smallest weight; among equals the first, so that a light load stays
//                together and the others can go
//   two_choices  two members with room at random, the one with the smaller weight of them (Mitzenmacher, "The
//                Power of Two Choices in Randomized Load Balancing", 2001)
//   maglev       the member that the service's Maglev table names for the flow, or the next with room in that
//                table (controlplane/fleet/maglev.h)
//
//   choose() → kChosen   `slot` gets it
//              kPaced    somebody has no room only because it ramps: it will have some with time alone
//              kFull     all members are at their hard limits
//              kNobody   there is no member
//
// How it is fast: members that do not ramp and have room stand in a binary heap by flows in flight, so that
// least costs nothing to ask and log2(members) to update, once when a flow opens and once when it closes. The
// heap is also the list that two_choices picks from. Members that ramp stand in a list of their own; of a
// long one only kRampingLooked are looked at, in turn.
//
// One thread only (a worker's). Memory is taken at construction. No DPDK.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "dataplane/flow/anchor_hash.h"
#include "ids.h"
#include "steering_table.h"

namespace cheshire {

class Chooser {
 public:
  static constexpr size_t kRampingLooked = 16;
  // Entries of a Maglev table that are looked at before any member with room is taken.
  static constexpr size_t kMaglevLooked = 64;
  // Hashes that are tried for a flow that begins, before any member that has room is taken.
  static constexpr size_t kHashesTried = 16;
  static constexpr uint32_t kNoLimit = std::numeric_limits<uint32_t>::max();

  enum class Outcome : uint8_t { kChosen, kPaced, kFull, kNobody };
  struct Choice {
    Outcome outcome = Outcome::kNobody;
    SlotIndex slot;  // with kChosen
  };

  Chooser(size_t services, size_t slots);

  // A new steering table: balance, slow start and limits of each service. `service` stays where it is until
  // the next call. Limits set by set_limit() stay for services whose hard limit did not change.
  void configure(ServiceIndex index, const SteeringService& service);

  // The slot's instance may get new flows; it became ready at ready_ns. Without effect on a member.
  void add(ServiceIndex service, SlotIndex slot, uint64_t ready_ns);
  // No new flows, as it drains: no member any more, but choose_by_hash() names it to those that it has.
  void retire(SlotIndex slot);
  // Nothing at all. Without effect on one that is neither member nor retired.
  void remove(SlotIndex slot);
  [[nodiscard]] bool is_member(SlotIndex slot) const { return members_[slot.value].place != Place::kNone; }
  [[nodiscard]] bool has_members(ServiceIndex service) const { return services_[service.value].members != 0; }

  [[nodiscard]] uint32_t members(ServiceIndex service) const { return services_[service.value].members; }

  // Known of every slot, member or not: a slot's next instance begins with 0 and the service's hard limit.
  void begin(ServiceIndex service, SlotIndex slot);
  void set_in_flight(SlotIndex slot, uint32_t in_flight);
  // Never more flows than that; kNoLimit. 0 is taken as 1.
  void set_limit(SlotIndex slot, uint32_t limit);
  [[nodiscard]] uint32_t limit(SlotIndex slot) const { return members_[slot.value].limit; }

  // `steering_hash`: the keyed hash of the flow (steering_hash.h); the same flow gets the same answer while nothing changes.
  // Changes nothing that can be seen from outside.
  [[nodiscard]] Choice choose(ServiceIndex service, uint64_t steering_hash, uint64_t now_ns);

  // For a flow that no table has room for: the same instance for the same flow as long as the instances are the
  // same, members and retired ones, whatever is in flight. One that comes or goes moves only the flows that are
  // its own. A flow that begins gets a member: where hashing names one that is retired, another. In a bounded
  // number of steps (anchor_hash.h).
  [[nodiscard]] Choice choose_by_hash(ServiceIndex service, uint64_t steering_hash, bool begins) const;

 private:
  static constexpr uint32_t kFullShare = 100U << 10U;  // a percent is a whole number of it

  enum class Place : uint8_t { kNone, kHeap, kRamping, kFull };
  struct Member {
    uint32_t in_flight = 0;
    uint32_t limit = kNoLimit;
    uint64_t ready_ns = 0;
    ServiceIndex service;
    uint16_t position = 0;  // in heap or ramping
    Place place = Place::kNone;
    bool hashed = false;  // in Service::by_hash
    uint16_t bucket = 0;  // … there
  };
  struct Service {
    explicit Service(size_t slots) : by_hash(slots) {}
    const SteeringService* config = nullptr;
    uint32_t members = 0;
    uint32_t hard = 0;  // of the configuration, to see a change
    uint16_t ramping_next = 0;
    std::vector<uint16_t> heap;
    std::vector<uint16_t> ramping;
    AnchorHash by_hash;
  };

  [[nodiscard]] bool less(uint16_t a, uint16_t b) const;
  void put(Service& service, uint16_t slot, size_t position);
  void rise(Service& service, size_t position);
  void sink(Service& service, size_t position);
  void take_from_heap(Service& service, size_t position);
  void take_from_ramping(Service& service, size_t position);
  void enter(Service& service, uint16_t slot);  // heap or full
  void leave(Service& service, uint16_t slot);
  void end_ramps(Service& service, uint64_t now_ns);

  [[nodiscard]] uint32_t share(const Service& service, const Member& member, uint64_t now_ns) const;
  [[nodiscard]] bool has_room(const Service& service, const Member& member, uint64_t now_ns) const;
  // Smaller is emptier; comparable between members of a service.
  [[nodiscard]] uint64_t weight(const Service& service, const Member& member, uint64_t now_ns) const;
  [[nodiscard]] Choice choose_least(Service& service, uint64_t now_ns);
  [[nodiscard]] Choice choose_of_two(Service& service, uint64_t steering_hash, uint64_t now_ns);
  [[nodiscard]] Choice choose_by_maglev(Service& service, uint64_t steering_hash, uint64_t now_ns);

  std::vector<Member> members_;  // by slot
  std::vector<Service> services_;
};

}  // namespace cheshire
