// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "steering_table.h"

#include <algorithm>
#include <bit>

#include "check.h"

namespace cheshire {

SteeringTable::SteeringTable(std::vector<SteeringService> services, std::vector<SteeringSlot> slots)
    : services_(std::move(services)), slots_(std::move(slots)) {
  CHECK(services_.size() <= kServicesMax);
  for (const SteeringService& service : services_) {
    if (!(service.port == be16{})) vips_.push_back(service.vip.raw());
  }
  std::sort(vips_.begin(), vips_.end());
  vips_.erase(std::unique(vips_.begin(), vips_.end()), vips_.end());
  const size_t size = std::bit_ceil(std::max<size_t>(2 * services_.size(), 2));
  match_.assign(size, kFree);
  match_mask_ = static_cast<uint32_t>(size - 1);
  for (size_t index = 0; index < services_.size(); ++index) {
    if (services_[index].port == be16{}) continue;
    uint32_t at = hash(services_[index].vip, services_[index].port);
    while (match_[at & match_mask_] != kFree) ++at;
    match_[at & match_mask_] = static_cast<uint16_t>(index);
  }
  list_members();
}

// A counting sort: it is built anew at each publication.
void SteeringTable::list_members() {
  // The bound of our types. kSlotsMax is lower: it is that of the vhost-user library.
  CHECK(slots_.size() < 0xffff);
  for (const SteeringSlot& slot : slots_) {
    if (slot.role != SlotRole::kEmpty) ++services_[slot.service.value].members_count;
  }
  uint16_t first = 0;
  for (SteeringService& service : services_) {
    service.members_first = first;
    first = static_cast<uint16_t>(first + service.members_count);
    service.members_count = 0;
  }
  members_.resize(first);
  for (uint16_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].role == SlotRole::kEmpty) continue;
    SteeringService& service = services_[slots_[index].service.value];
    members_[service.members_first + service.members_count++] = SlotIndex{index};
  }
}

bool SteeringTable::is_vip(be32 address) const {
  return std::binary_search(vips_.begin(), vips_.end(), address.raw());
}

}  // namespace cheshire
