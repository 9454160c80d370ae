// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// All TCP connections, found by the peer's address and port: a hash table chained by Connection::hash_next,
// over entries that are used again. Entry 0 stands for "none". Memory is taken once, from the arena. No
// timers, no callbacks: what it means that a connection begins or ends is tcp.h's matter. grin's one
// thread; called by Tcp alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/memory.h"
#include "unikernel/tcp_connection.h"

namespace cheshire::grin {

class ConnectionTable {
 public:
  // Room for `capacity` connections; `secret` keys the hash. False if the arena is too small.
  [[nodiscard]] bool init(Arena& arena, size_t capacity, uint64_t secret);

  [[nodiscard]] Connection& operator[](ConnectionId id) { return connections_[id]; }
  [[nodiscard]] const Connection& operator[](ConnectionId id) const { return connections_[id]; }
  [[nodiscard]] ConnectionId id_of(const Connection& c) const {
    return static_cast<ConnectionId>(&c - connections_.data());
  }

  // kNoIndex: there is none with this peer.
  [[nodiscard]] ConnectionId find(uint32_t ip, uint16_t port);
  // A new entry for this peer, all zero but for address and port; kNoIndex if the table is full.
  [[nodiscard]] ConnectionId add(uint32_t ip, uint16_t port);
  void remove(ConnectionId id);

  [[nodiscard]] bool is_full() const { return free_ == kNoIndex && never_used_ == connections_.size(); }
  [[nodiscard]] size_t used_count() const { return used_count_; }
  [[nodiscard]] size_t capacity() const { return connections_.size() - 1; }

 private:
  [[nodiscard]] Index& bucket_of(uint32_t ip, uint16_t port);

  uint64_t secret_ = 0;
  uint64_t bucket_mask_ = 0;
  size_t used_count_ = 0;
  Index never_used_ = 1;               // entries from here on were never touched
  Index free_ = kNoIndex;              // chained by hash_next
  std::span<Connection> connections_;  // [0] is not used
  std::span<Index> buckets_;
};

}  // namespace cheshire::grin
