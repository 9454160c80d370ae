// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/connection_table.h"

#include <bit>

#include "unikernel/hash.h"

namespace cheshire::grin {

bool ConnectionTable::init(Arena& arena, size_t capacity, uint64_t secret) {
  secret_ = secret;
  const size_t count = capacity + 1;
  const size_t bucket_count = std::bit_ceil(count);
  bucket_mask_ = bucket_count - 1;
  buckets_ = arena.take<Index>(bucket_count);
  connections_ = arena.take<Connection>(count);
  return !buckets_.empty() && !connections_.empty();
}

Index& ConnectionTable::bucket_of(uint32_t ip, uint16_t port) {
  const uint64_t key = (uint64_t{ip} << 16) | port;
  return buckets_[mix64(key, secret_) & bucket_mask_];
}

ConnectionId ConnectionTable::find(uint32_t ip, uint16_t port) {
  Index id = bucket_of(ip, port);
  while (id != kNoIndex && (connections_[id].peer.ip != ip || connections_[id].peer.port != port)) {
    id = connections_[id].hash_next;
  }
  return id;
}

ConnectionId ConnectionTable::add(uint32_t ip, uint16_t port) {
  Index id = free_;
  if (id != kNoIndex) {
    free_ = connections_[id].hash_next;
    connections_[id] = {};
  } else if (never_used_ < connections_.size()) {
    id = never_used_++;
  } else {
    return kNoIndex;
  }
  ++used_count_;
  Connection& c = connections_[id];
  c.peer.ip = ip;
  c.peer.port = port;
  Index& bucket = bucket_of(ip, port);
  c.hash_next = bucket;
  bucket = id;
  return id;
}

void ConnectionTable::remove(ConnectionId id) {
  Connection& c = connections_[id];
  Index* link = &bucket_of(c.peer.ip, c.peer.port);
  while (*link != id) link = &connections_[*link].hash_next;
  *link = c.hash_next;
  c.state = TcpState::kFree;
  c.hash_next = free_;
  free_ = id;
  --used_count_;
}

}  // namespace cheshire::grin
