// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The hash by which a new flow is steered: which of two instances, which entry of a Maglev table, which instance where
// the flow table is full. SipHash-1-3 of the flow's key: a client cannot choose an instance. The flow table has a hash
// of its own (flow_hash.h), as its places must say nothing about this one.
#pragma once

#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/siphash.h"

namespace cheshire {

class SteeringHash {
 public:
  explicit SteeringHash(HashKey key) : key_(key) {}
  [[nodiscard]] uint64_t operator()(const FlowKey& flow) const { return siphash13(key_, flow.as_integer()); }

 private:
  HashKey key_;
};

}  // namespace cheshire
