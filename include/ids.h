// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Small distinct types for the things that are numbered. A service index never compiles where a slot
// index is wanted.
#pragma once

#include <compare>
#include <cstdint>

namespace cheshire {

// Position of a service in the configuration and in every table made from it.
struct ServiceIndex {
  uint16_t value = 0;
  friend auto operator<=>(const ServiceIndex&, const ServiceIndex&) = default;
};

// The data plane's index of an instance: 0 .. slots-1. One vhost-user socket belongs to one slot for the
// life of the daemon; instances come and go in it.
struct SlotIndex {
  uint16_t value = 0;
  friend auto operator<=>(const SlotIndex&, const SlotIndex&) = default;
};

// Counts the instances that a slot has held; the first is 1, 0 is "never". A flow entry holds the slot
// and the generation, so that a reused slot never receives packets of an old flow.
struct Generation {
  uint32_t value = 0;
  friend auto operator<=>(const Generation&, const Generation&) = default;
};

// An instance, for as long as the daemon lives.
struct InstanceId {
  SlotIndex slot;
  Generation generation;
  friend auto operator<=>(const InstanceId&, const InstanceId&) = default;
};

// Instances in all. rte_vhost polls two descriptors per server socket in one set of 1,024
// (docs/architecture.md, "Limits"); a few are left for the library itself.
inline constexpr uint16_t kSlotsMax = 500;
inline constexpr uint16_t kServicesMax = 1000;
inline constexpr uint16_t kWorkersMax = 16;
// Of a slot that no service has.
inline constexpr ServiceIndex kNobodys{0xffff};

}  // namespace cheshire
