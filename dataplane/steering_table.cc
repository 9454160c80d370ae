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
  for (const SteeringService& service : services_) vips_.push_back(service.vip.raw());
  std::sort(vips_.begin(), vips_.end());
  vips_.erase(std::unique(vips_.begin(), vips_.end()), vips_.end());
  const size_t size = std::bit_ceil(std::max<size_t>(2 * services_.size(), 2));
  match_.assign(size, kNoService);
  match_mask_ = static_cast<uint32_t>(size - 1);
  for (size_t index = 0; index < services_.size(); ++index) {
    uint32_t at = hash(services_[index].vip, services_[index].port);
    while (match_[at & match_mask_] != kNoService) ++at;
    match_[at & match_mask_] = static_cast<uint16_t>(index);
  }
}

bool SteeringTable::is_vip(be32 address) const {
  return std::binary_search(vips_.begin(), vips_.end(), address.raw());
}

}  // namespace cheshire
