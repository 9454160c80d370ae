// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The key of a flow: eight bytes without holes, compared and hashed as one integer. The VIP and its port
// are folded into the service's index, since a flow table is only asked about packets of known services.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "be.h"
#include "ids.h"

namespace cheshire {

struct alignas(8) FlowKey {
  be32 client_ip;
  be16 client_port;
  ServiceIndex service;

  [[nodiscard]] uint64_t as_integer() const { return std::bit_cast<uint64_t>(*this); }
  friend bool operator==(const FlowKey& a, const FlowKey& b) { return a.as_integer() == b.as_integer(); }
};
static_assert(sizeof(FlowKey) == 8 && std::has_unique_object_representations_v<FlowKey>);

}  // namespace cheshire
