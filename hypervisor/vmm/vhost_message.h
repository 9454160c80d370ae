// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The vhost-user protocol (QEMU's docs/interop/vhost-user.rst), front end's side: requests as bytes to send,
// and a reader for what comes back. The peer is outside input: every reply has one form that is taken, and no
// other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "result.h"

namespace cheshire {

enum class VhostRequest : uint32_t {
  kGetFeatures = 1,
  kSetFeatures = 2,
  kSetOwner = 3,
  kSetMemTable = 5,
  kSetVringNum = 8,
  kSetVringAddr = 9,
  kSetVringBase = 10,
  kGetVringBase = 11,
  kSetVringKick = 12,
  kSetVringCall = 13,
  kGetProtocolFeatures = 15,
  kSetProtocolFeatures = 16,
  kSetVringEnable = 18,
  kNetSetMtu = 20,
  kSetStatus = 39,
};
[[nodiscard]] const char* to_string(VhostRequest request);

inline constexpr uint64_t kVhostProtocolFeaturesBit = uint64_t{1} << 30;  // VHOST_USER_F_PROTOCOL_FEATURES
inline constexpr uint64_t kVhostProtocolReplyAck = uint64_t{1} << 3;
inline constexpr uint64_t kVhostProtocolMtu = uint64_t{1} << 4;
inline constexpr uint64_t kVhostProtocolStatus = uint64_t{1} << 16;
inline constexpr uint64_t kVhostProtocolFeaturesOurs =
    kVhostProtocolReplyAck | kVhostProtocolMtu | kVhostProtocolStatus;

struct VhostHeader {
  uint32_t request;
  uint32_t flags;
  uint32_t size_bytes;
};
static_assert(sizeof(VhostHeader) == 12);

struct VhostVringState {
  uint32_t index;
  uint32_t number;
};
static_assert(sizeof(VhostVringState) == 8);

struct VhostVringAddress {
  uint32_t index;
  uint32_t flags;
  uint64_t descriptors;  // all three in our own address space, as the memory table has it
  uint64_t used;
  uint64_t available;
  uint64_t log;
};
static_assert(sizeof(VhostVringAddress) == 40);

// One region is all that a guest of ours has.
struct VhostMemoryTable {
  uint32_t regions;
  uint32_t padding;
  uint64_t guest_address;
  uint64_t size_bytes;
  uint64_t user_address;
  uint64_t mmap_offset;
};
static_assert(sizeof(VhostMemoryTable) == 40);

// Requests that go out together: as few system calls as the descriptors among them allow.
class VhostBatch {
 public:
  template <typename Payload>
  void add(VhostRequest request, const Payload& payload, int fd = -1) {
    append(request, std::as_bytes(std::span(&payload, 1)), fd);
  }
  void add(VhostRequest request) { append(request, {}, -1); }
  // The peer is to answer the message added last (REPLY_ACK). The one at the end is enough: messages are
  // obeyed in order, and a back end that refuses one without being asked for an answer closes the connection.
  void want_ack();

  // All or nothing: what the socket does not take at once is an error, as a peer that reads takes it.
  [[nodiscard]] Result<void> send(int socket) const;
  // One for each message that a reply belongs to, in order.
  [[nodiscard]] const std::vector<VhostRequest>& expected() const { return expected_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  struct Piece {
    size_t begin;
    int fd;  // goes with the first byte; -1: none
  };
  void append(VhostRequest request, std::span<const std::byte> payload, int fd);

  std::vector<std::byte> bytes_;
  std::vector<Piece> pieces_;
  std::vector<VhostRequest> expected_;
  size_t last_ = 0;  // where the last message begins
};

struct VhostReply {
  VhostRequest request;
  uint64_t value;
};

// Cuts the peer's bytes into replies. Every reply that we ever ask for has a payload of eight bytes.
class VhostReplyReader {
 public:
  // The next reply, nullopt if more bytes are needed; an Error if this is no reply.
  [[nodiscard]] Result<std::optional<VhostReply>> next();
  void feed(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace cheshire
