// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/chooser.h"

#include <algorithm>

#include "check.h"

namespace cheshire {
namespace {

constexpr uint32_t kPercent = 100;

// x in 0 .. n-1 from 32 random bits, without a division (Lemire, "Fast Random Integer Generation in an
// Interval", 2019).
uint32_t scaled(uint32_t random, size_t n) {
  return static_cast<uint32_t>((uint64_t{random} * n) >> 32U);
}

uint32_t hard_limit(uint32_t configured) {
  return configured == 0 ? Chooser::kNoLimit : configured;
}

uint64_t mixed(uint64_t value) {
  value = (value ^ (value >> 33U)) * 0xff51afd7ed558ccdULL;
  return value ^ (value >> 33U);
}

}  // namespace

Chooser::Chooser(size_t services, size_t slots) : members_(slots), services_(services, Service(slots)) {
  for (Service& service : services_) {
    service.heap.reserve(slots);
    service.ramping.reserve(slots);
  }
}

void Chooser::configure(ServiceIndex index, const SteeringService& config) {
  Service& service = services_[index.value];
  service.config = &config;
  if (service.hard == config.in_flight_hard) return;
  service.hard = config.in_flight_hard;
  for (uint16_t slot = 0; slot < members_.size(); ++slot) {
    if (members_[slot].service == index) set_limit(SlotIndex{slot}, hard_limit(service.hard));
  }
}

void Chooser::begin(ServiceIndex index, SlotIndex slot) {
  CHECK(!is_member(slot) && !members_[slot.value].hashed);
  members_[slot.value] = Member{.limit = hard_limit(services_[index.value].hard), .service = index};
}

void Chooser::add(ServiceIndex index, SlotIndex slot, uint64_t ready_ns) {
  if (is_member(slot)) return;
  Service& service = services_[index.value];
  Member& member = members_[slot.value];
  member.service = index;
  member.ready_ns = ready_ns;
  ++service.members;
  if (!member.hashed) {
    member.hashed = true;
    member.bucket = service.by_hash.add(slot.value);
  }
  if (service.config->slow_start_ns == 0) return enter(service, slot.value);
  member.place = Place::kRamping;
  member.position = static_cast<uint16_t>(service.ramping.size());
  service.ramping.push_back(slot.value);
}

void Chooser::retire(SlotIndex slot) {
  if (!is_member(slot)) return;
  Service& service = services_[members_[slot.value].service.value];
  leave(service, slot.value);
  --service.members;
}

void Chooser::remove(SlotIndex slot) {
  retire(slot);
  Member& member = members_[slot.value];
  if (!member.hashed) return;
  member.hashed = false;
  services_[member.service.value].by_hash.remove(member.bucket);
}

void Chooser::set_in_flight(SlotIndex slot, uint32_t in_flight) {
  Member& member = members_[slot.value];
  Service& service = services_[member.service.value];
  const bool grew = in_flight > member.in_flight;
  member.in_flight = in_flight;
  if (member.place == Place::kFull && in_flight < member.limit) return enter(service, slot.value);
  if (member.place != Place::kHeap) return;
  if (in_flight >= member.limit) {
    take_from_heap(service, member.position);
    member.place = Place::kFull;
  } else if (grew) {
    sink(service, member.position);
  } else {
    rise(service, member.position);
  }
}

void Chooser::set_limit(SlotIndex slot, uint32_t limit) {
  Member& member = members_[slot.value];
  member.limit = std::max(limit, 1U);
  if (member.place != Place::kHeap && member.place != Place::kFull) return;
  Service& service = services_[member.service.value];
  leave(service, slot.value);
  enter(service, slot.value);
}

Chooser::Choice Chooser::choose(ServiceIndex index, uint64_t steering_hash, uint64_t now_ns) {
  Service& service = services_[index.value];
  if (service.members == 0) return {Outcome::kNobody, {}};
  if (!service.ramping.empty()) end_ramps(service, now_ns);
  switch (service.config->balance) {
    case Balance::kLeast:
      return choose_least(service, now_ns);
    case Balance::kTwoChoices:
      return choose_of_two(service, steering_hash, now_ns);
    case Balance::kMaglev:
      return choose_by_maglev(service, steering_hash, now_ns);
  }
  return {Outcome::kNobody, {}};
}

Chooser::Choice Chooser::choose_least(Service& service, uint64_t now_ns) {
  uint64_t best = std::numeric_limits<uint64_t>::max();
  Choice choice{Outcome::kFull, {}};
  const auto consider = [&](uint16_t slot) {
    const Member& member = members_[slot];
    if (!has_room(service, member, now_ns)) {
      const bool ramp_only = member.in_flight < member.limit;
      if (ramp_only && choice.outcome == Outcome::kFull) choice.outcome = Outcome::kPaced;
      return;
    }
    const uint64_t its = weight(service, member, now_ns);
    if (its > best || (its == best && slot > choice.slot.value)) return;
    best = its;
    choice = {Outcome::kChosen, SlotIndex{slot}};
  };
  if (!service.heap.empty()) consider(service.heap.front());
  const size_t count = service.ramping.size();
  size_t at = service.ramping_next < count ? service.ramping_next : 0;
  for (size_t looked = 0; looked < std::min(count, kRampingLooked); ++looked) {
    consider(service.ramping[at]);
    if (++at == count) at = 0;
  }
  service.ramping_next = static_cast<uint16_t>(at);
  return choice;
}

Chooser::Choice Chooser::choose_of_two(Service& service, uint64_t steering_hash, uint64_t now_ns) {
  const size_t steady = service.heap.size();
  const size_t count = steady + service.ramping.size();
  if (count == 0) return {Outcome::kFull, {}};
  const auto pick = [&](uint32_t random) {
    const size_t at = scaled(random, count);
    return at < steady ? service.heap[at] : service.ramping[at - steady];
  };
  const uint16_t one = pick(static_cast<uint32_t>(steering_hash));
  const uint16_t two = pick(static_cast<uint32_t>(mixed(steering_hash) >> 32U));
  const Member& first = members_[one];
  const Member& second = members_[two];
  const bool first_can = has_room(service, first, now_ns);
  const bool second_can = has_room(service, second, now_ns);
  if (!first_can && !second_can) return choose_least(service, now_ns);
  if (!second_can) return {Outcome::kChosen, SlotIndex{one}};
  if (!first_can) return {Outcome::kChosen, SlotIndex{two}};
  const bool take_second = weight(service, second, now_ns) < weight(service, first, now_ns);
  return {Outcome::kChosen, SlotIndex{take_second ? two : one}};
}

Chooser::Choice Chooser::choose_by_maglev(Service& service, uint64_t steering_hash, uint64_t now_ns) {
  const MaglevTable* table = service.config->maglev.get();
  if (table == nullptr || table->slots.empty()) return choose_least(service, now_ns);
  const size_t size = table->slots.size();
  size_t at = scaled(static_cast<uint32_t>(steering_hash >> 32U), size);
  for (size_t looked = 0; looked < std::min(size, kMaglevLooked); ++looked) {
    const SlotIndex slot = table->slots[at];
    const Member& member = members_[slot.value];
    if (member.place != Place::kNone && has_room(service, member, now_ns)) return {Outcome::kChosen, slot};
    if (++at == size) at = 0;
  }
  return choose_least(service, now_ns);
}

Chooser::Choice Chooser::choose_by_hash(ServiceIndex index, uint64_t steering_hash, bool begins) const {
  const Service& service = services_[index.value];
  if (begins && service.members == 0) return {};
  for (size_t tried = 0; tried < kHashesTried; ++tried) {
    const std::optional<uint16_t> slot = service.by_hash.find(steering_hash);
    if (!slot.has_value()) return {};
    if (!begins || is_member(SlotIndex{*slot})) return {Outcome::kChosen, SlotIndex{*slot}};
    steering_hash = mixed(steering_hash + 1);
  }
  // Nearly all drain.
  if (!service.heap.empty()) return {Outcome::kChosen, SlotIndex{service.heap.front()}};
  return service.ramping.empty() ? Choice{Outcome::kFull, {}}
                                 : Choice{Outcome::kChosen, SlotIndex{service.ramping.front()}};
}

uint32_t Chooser::share(const Service& service, const Member& member, uint64_t now_ns) const {
  if (member.place != Place::kRamping) return kFullShare;
  const uint64_t whole_ns = service.config->slow_start_ns;
  const uint64_t since_ns = now_ns > member.ready_ns ? now_ns - member.ready_ns : 0;
  if (since_ns >= whole_ns) return kFullShare;
  const uint64_t floor = uint64_t{kFullShare} * service.config->slow_start_floor_percent / kPercent;
  return static_cast<uint32_t>(std::max<uint64_t>(1, floor + (kFullShare - floor) * since_ns / whole_ns));
}

bool Chooser::has_room(const Service& service, const Member& member, uint64_t now_ns) const {
  if (member.in_flight >= member.limit) return false;
  if (member.place != Place::kRamping) return true;
  const uint64_t capacity = member.limit != kNoLimit ? member.limit : service.config->in_flight_soft;
  return member.in_flight < std::max<uint64_t>(1, capacity * share(service, member, now_ns) / kFullShare);
}

uint64_t Chooser::weight(const Service& service, const Member& member, uint64_t now_ns) const {
  const uint64_t flows = (uint64_t{member.in_flight} + 1) * kFullShare;
  if (member.place != Place::kRamping) return flows;
  return flows * kFullShare / share(service, member, now_ns);
}

void Chooser::end_ramps(Service& service, uint64_t now_ns) {
  // They came in order, but a removal disturbs it: all of a short list, the first of a long one.
  for (size_t at = std::min(service.ramping.size(), kRampingLooked); at-- > 0;) {
    const uint16_t slot = service.ramping[at];
    if (now_ns < members_[slot].ready_ns + service.config->slow_start_ns) continue;
    take_from_ramping(service, at);
    enter(service, slot);
  }
}

// ---- the places

bool Chooser::less(uint16_t a, uint16_t b) const {
  const uint32_t in_a = members_[a].in_flight;
  const uint32_t in_b = members_[b].in_flight;
  return in_a != in_b ? in_a < in_b : a < b;
}

void Chooser::put(Service& service, uint16_t slot, size_t position) {
  service.heap[position] = slot;
  members_[slot].position = static_cast<uint16_t>(position);
}

void Chooser::rise(Service& service, size_t position) {
  const uint16_t slot = service.heap[position];
  while (position > 0) {
    const size_t parent = (position - 1) / 2;
    if (!less(slot, service.heap[parent])) break;
    put(service, service.heap[parent], position);
    position = parent;
  }
  put(service, slot, position);
}

void Chooser::sink(Service& service, size_t position) {
  const uint16_t slot = service.heap[position];
  for (;;) {
    size_t child = 2 * position + 1;
    if (child >= service.heap.size()) break;
    if (child + 1 < service.heap.size() && less(service.heap[child + 1], service.heap[child])) ++child;
    if (!less(service.heap[child], slot)) break;
    put(service, service.heap[child], position);
    position = child;
  }
  put(service, slot, position);
}

void Chooser::take_from_heap(Service& service, size_t position) {
  const uint16_t last = service.heap.back();
  service.heap.pop_back();
  if (position == service.heap.size()) return;
  put(service, last, position);
  rise(service, position);
  sink(service, members_[last].position);
}

void Chooser::take_from_ramping(Service& service, size_t position) {
  const uint16_t last = service.ramping.back();
  service.ramping.pop_back();
  if (position == service.ramping.size()) return;
  service.ramping[position] = last;
  members_[last].position = static_cast<uint16_t>(position);
}

void Chooser::enter(Service& service, uint16_t slot) {
  Member& member = members_[slot];
  if (member.in_flight >= member.limit) {
    member.place = Place::kFull;
    return;
  }
  member.place = Place::kHeap;
  service.heap.push_back(slot);
  rise(service, service.heap.size() - 1);
}

void Chooser::leave(Service& service, uint16_t slot) {
  Member& member = members_[slot];
  if (member.place == Place::kHeap) take_from_heap(service, member.position);
  if (member.place == Place::kRamping) take_from_ramping(service, member.position);
  member.place = Place::kNone;
}

}  // namespace cheshire
