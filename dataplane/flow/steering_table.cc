// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "steering_table.h"

#include <algorithm>
#include <bit>

#include "check.h"

namespace cheshire {

SteeringServices::SteeringServices(std::vector<SteeringService> services) : services_(std::move(services)) {
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
}

bool SteeringServices::is_vip(be32 address) const {
  return std::binary_search(vips_.begin(), vips_.end(), address.raw());
}

SteeringTable::SteeringTable(std::shared_ptr<const SteeringServices> services,
                             std::vector<SteeringSlot> slots)
    : services_(std::move(services)), slots_(std::move(slots)) {
  list_members();
}

// A counting sort: it is made anew at each publication.
void SteeringTable::list_members() {
  // The bound of our types. kSlotsMax is lower: it is that of the vhost-user library.
  CHECK(slots_.size() < 0xffff);
  firsts_.assign(services_->all().size() + 1, 0);
  for (const SteeringSlot& slot : slots_) {
    if (slot.role != SlotRole::kEmpty) ++firsts_[slot.service.value + 1U];
  }
  for (size_t i = 1; i < firsts_.size(); ++i) firsts_[i] = static_cast<uint16_t>(firsts_[i] + firsts_[i - 1]);
  members_.resize(firsts_.back());
  std::vector<uint16_t> next(firsts_.begin(), firsts_.end() - 1);
  for (uint16_t index = 0; index < slots_.size(); ++index) {
    if (slots_[index].role == SlotRole::kEmpty) continue;
    members_[next[slots_[index].service.value]++] = SlotIndex{index};
  }
}

}  // namespace cheshire
